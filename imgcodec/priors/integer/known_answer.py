"""The known-answer test: integers that a prior must compute before anything is coded with it, as a hash.

    prior      the whole prior over one window, with fixed tokens: every layer, and how they are put together
    layers     every layer of another shape in a tile of 512 x 512 pixels, with operands at the ends of their range,
               their signs those of the weights: the largest sums that there can be, where 16 bits would not do

For raster priors the first part is a small tile, all at once and then, of its first stage, token by token; the layers
see a few dozen positions, and attention the end of its context.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imgcodec.priors.integer import constants, exact
from imgcodec.priors.integer.answer_inputs import (
    QUALITY,
    TILE_SIDE,
    PhotoTokens,
    answer_of,
    attention_input,
    depthwise_input,
    hashes,
    linear_input,
    noise,
)
from imgcodec.priors.integer.exact_causal import GATE_RANGE, ExactCausalAttention, ExactDense, ExactGate
from imgcodec.priors.photo.config import UPSAMPLING
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.raster.logits import weights_of
from imgcodec.priors.raster.protocol import DigitPosition, RasterPrior, to_digits

MAX_RASTER_TOKENS = 64
"""Of the tile of a raster prior, if its stages allow so few."""


def known_answer(prior: nn.Module) -> str:
    """SHA-256, as hexadecimal, of the integers that an exact prior computes on its device; takes tens of
    milliseconds."""
    with exact.exact_arithmetic():
        if isinstance(prior, PhotoPrior):
            parts = [*_photo_parameters(prior), *_photo_layers(prior)]
        else:
            parts = [*_raster_logits(cast(RasterPrior, prior)), *_raster_layers(prior)]
        return answer_of(numbers.to("cpu", torch.int32).numpy() for numbers in parts)


def _photo_parameters(prior: PhotoPrior) -> list[Tensor]:
    """The parameters of each step, for one window of stage 0."""
    window, tokens, steps = prior.config.windows[0], PhotoTokens(), []

    def code(stage: int, first: int, groups: int, parameters: Tensor, phase: int) -> Tensor:
        steps.append(parameters)
        return torch.from_numpy(tokens.next((groups, *parameters.shape[2:]))).float()[None].to(parameters.device)

    prior((1, window, window), QUALITY, code)
    return steps


def _photo_layers(prior: PhotoPrior) -> Iterator[Tensor]:
    """The outputs of one layer of each kind and shape for operands at full range, at the positions of a tile."""
    window = prior.config.windows[0]
    coarse = -(-TILE_SIDE // window) * window
    done = set()
    for name, layer in prior.named_modules():
        if not isinstance(layer, exact.ExactLinear | exact.ExactDepthwise | exact.ExactAttention):
            continue
        height = coarse * UPSAMPLING if name.startswith(("spread", "fine")) else coarse
        width = height // 2 if name.endswith(("predict", "embed")) else height  # half of a checkerboard
        shape = layer.position.shape if isinstance(layer, exact.ExactAttention) else layer.weight.shape
        kind = (type(layer), shape, getattr(layer, "positive", False), height, width)
        if kind in done:
            continue
        done.add(kind)
        match layer:
            case exact.ExactLinear():
                yield layer(_linear_input(layer, height, width))
            case exact.ExactDepthwise():
                yield layer(_depthwise_input(layer, height, width))
            case exact.ExactAttention():
                inside = torch.ones(height, width, dtype=torch.float32, device=layer.position.device)
                yield layer.attend(_attention_input(layer, height, width), inside)


def _raster_logits(prior: RasterPrior) -> Iterator[Tensor]:
    """The logits of a small tile; then logits and weights of the first tokens of its first stage, of two tiles."""
    factors = [side // prior.sides[0] for side in prior.sides]
    side = max(1, min(prior.sides[0], int((MAX_RASTER_TOKENS / sum(f**2 for f in factors)) ** 0.5)))
    sizes = [(side * f, side * f) for f in factors]
    hashed = torch.from_numpy((hashes(0, sum(h * w for h, w in sizes)) >> 8).astype(np.int64) % prior.codebook_size)
    device = next(b for b in cast(nn.Module, prior).buffers()).device
    parts = hashed.to(device).split([h * w for h, w in sizes])
    tokens = [part.reshape(1, *size) for part, size in zip(parts, sizes, strict=True)]
    for stage in prior.forward(tokens):
        yield from stage
    steps: list[Tensor] = []

    def code(at: DigitPosition, logits: Tensor) -> Tensor:
        steps.append(logits)
        steps.append(torch.from_numpy(weights_of(logits.to("cpu", torch.int64).numpy())))
        number = 3 * at.row + at.column
        return to_digits(torch.stack([hashed[number], hashed[-1 - number]]), prior.digits)[:, at.digit].to(device)

    prior.step_through(2, [(min(2, prior.sides[0]), min(3, prior.sides[0]))], code)
    yield from steps


def _raster_layers(prior: nn.Module) -> Iterator[Tensor]:
    """The outputs of one layer of each kind and shape for operands at full range, the channels last."""
    done = set()
    for layer in prior.modules():
        shape = layer.weight.shape if isinstance(layer, ExactDense) else None
        kind = (type(layer), shape, getattr(layer, "positive", False))
        if kind in done:
            continue
        done.add(kind)
        match layer:
            case ExactDense():
                yield layer(_linear_input(layer, 4, 16).movedim(1, -1).contiguous())
            case ExactCausalAttention():
                yield _causal_attention(layer)
            case ExactGate():
                steps = torch.arange(-5 * GATE_RANGE, 5 * GATE_RANGE + 1, device=next(prior.buffers()).device).float()
                yield layer(torch.stack([steps, steps.flip(0)], -1))


def _causal_attention(layer: ExactCausalAttention) -> Tensor:
    """The last of `context` positions, of three tiles: operands at one end of their range, at both ends, noise."""
    channels, device = layer.project.weight.shape[0] // 3, layer.unit.device
    keys = _noise((2, 3, layer.heads, layer.context, channels // layer.heads), False, device)
    query = _noise((3, 3 * channels), False, device)
    for numbers in (keys[:, 1], query[1]):
        numbers.copy_(constants.MAX_OPERAND * numbers.sign())
    for numbers in (keys[:, 0], query[0]):
        numbers.fill_(constants.MAX_OPERAND)
    return layer.attend_step(query / layer.unit, keys.flatten(1, 2), layer.context - 1)


def _linear_input(layer: exact.ExactLinear, height: int, width: int) -> Tensor:
    weight = layer.weight[:, :, 0, 0].cpu().numpy()
    return _on(layer.weight.device, linear_input(weight, layer.positive, layer.fraction, height, width))


def _depthwise_input(layer: exact.ExactDepthwise, height: int, width: int) -> Tensor:
    weight = layer.weight[:, 0].cpu().numpy()
    return _on(layer.weight.device, depthwise_input(weight, layer.fraction, height, width))


def _attention_input(layer: exact.ExactAttention, height: int, width: int) -> Tensor:
    channels = layer.project.weight.shape[0] // 3
    return _on(layer.position.device, attention_input(channels, layer.window, layer.fractions, height, width))


def _on(device: torch.device, numbers: NDArray[np.float32]) -> Tensor:
    """On a device, channels last in memory, as the codec's own maps."""
    return torch.from_numpy(numbers).to(device).contiguous(memory_format=torch.channels_last)


def _noise(shape: tuple[int, ...], positive: bool, device: torch.device) -> Tensor:
    return torch.from_numpy(noise(shape, positive)).to(device)
