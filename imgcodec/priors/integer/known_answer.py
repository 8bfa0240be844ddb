"""The known-answer test: integers that a prior must compute before anything is coded with it, as a hash.

    prior      the whole prior over one window, with fixed tokens: every layer, and how they are put together
    layers     every layer of another shape in a tile of 512 x 512 pixels, with operands at the ends of their range,
               their signs those of the weights: the largest sums that there can be, where 16 bits would not do

For raster priors the first part is a small tile, all at once and then, of its first stage, token by token; the layers
see a few dozen positions, and attention the end of its context.

Tokens and other operands are hashes of their number (Knuth's multiplicative hash).
"""

import hashlib
from collections.abc import Iterator
from typing import cast

import google_crc32c
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imgcodec.priors.integer import constants, exact
from imgcodec.priors.integer.exact_causal import GATE_RANGE, ExactCausalAttention, ExactDense, ExactGate
from imgcodec.priors.photo.config import UPSAMPLING
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.raster.logits import weights_of
from imgcodec.priors.raster.protocol import DigitPosition, RasterPrior, to_digits

QUALITY = 12800
TILE_SIDE = 8
"""Rows and columns of stage 0 in the tile of the layers, 512 x 512 pixels. A larger one would find little more, and
take longer than loading a model should."""

MAX_RASTER_TOKENS = 64
"""Of the tile of a raster prior, if its stages allow so few."""


def known_answer(prior: nn.Module) -> str:
    """SHA-256, as hexadecimal, of the integers that an exact prior computes on its device; takes tens of
    milliseconds."""
    digest = hashlib.sha256()
    with exact.exact_arithmetic():
        if isinstance(prior, PhotoPrior):
            parts = [*_photo_parameters(prior), *_photo_layers(prior)]
        else:
            parts = [*_raster_logits(cast(RasterPrior, prior)), *_raster_layers(prior)]
        for numbers in parts:
            integers = numbers.to("cpu", torch.int32).contiguous().numpy().astype("<i4", copy=False)
            digest.update(google_crc32c.value(integers.tobytes()).to_bytes(4, "little"))
    return digest.hexdigest()


def _photo_parameters(prior: PhotoPrior) -> list[Tensor]:
    """The parameters of each step, for one window of stage 0. Tokens are mostly small, some over the whole range."""
    window, count, steps = prior.config.windows[0], 0, []

    def code(stage: int, first: int, groups: int, parameters: Tensor, phase: int) -> Tensor:
        nonlocal count
        steps.append(parameters)
        shape = (1, groups, *parameters.shape[2:])
        hashed = _hashes(count, int(np.prod(shape)))
        count += len(hashed)
        divisor = np.array([1, 16, 128, 512])[hashed >> 30]
        tokens = ((hashed >> 8) % 1023).astype(np.int64) - 511
        return torch.from_numpy((tokens // divisor).astype(np.float32)).reshape(shape).to(parameters.device)

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
    hashed = torch.from_numpy((_hashes(0, sum(h * w for h, w in sizes)) >> 8).astype(np.int64) % prior.codebook_size)
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
    """(1, inputs, height, width): at some positions operands that drive an output to the end of its range, at others
    noise."""
    weight = layer.weight[:, :, 0, 0]
    if layer.positive:
        largest = [constants.MAX_POSITIVE_OPERAND * wanted.float() for wanted in (weight > 0, weight < 0)]
    else:
        signs = _signs(weight)
        largest = [constants.MAX_OPERAND * signs, -constants.MAX_OPERAND * signs]
    rows = torch.cat([*largest, _noise((len(weight), weight.shape[1]), layer.positive, weight.device)])
    order = torch.arange(height * width, device=weight.device) * 7919 % len(rows)  # a prime: all rows, or some of each
    operands = rows[order].reshape(1, height, width, -1).permute(0, 3, 1, 2)  # and channels last in memory
    return operands if layer.fraction is None else operands * _unit(layer.fraction)


def _depthwise_input(layer: exact.ExactDepthwise, height: int, width: int) -> Tensor:
    """(1, C, height, width): the upper half repeats the signs of the weights, so that every fifth position of every
    fifth row has the largest sum; the lower half is noise."""
    weight = layer.weight[:, 0]
    side, half = weight.shape[-1], height // 2
    tiles = (1, -(-half // side), -(-width // side))
    signs = _signs(weight).repeat(tiles)[:, :half, :width]
    noise = _noise((len(weight), height - half, width), False, weight.device)
    operands = torch.cat([constants.MAX_OPERAND * signs, noise], 1)[None]
    return operands.contiguous(memory_format=torch.channels_last) * _unit(layer.fraction)


def _attention_input(layer: exact.ExactAttention, height: int, width: int) -> Tensor:
    """(1, 3 * C, height, width), queries, keys and values: all at one end of their range, then at both ends, then
    noise, a third of the windows each."""
    channels = layer.project.weight.shape[0] // 3
    noise = _noise((3, channels, height, width), False, layer.position.device)
    third = height // layer.window // 3 * layer.window
    noise[:, :, third : 2 * third] = constants.MAX_OPERAND * noise[:, :, third : 2 * third].sign()
    noise[:, :, :third] = constants.MAX_OPERAND
    units = exact.constant([_unit(fraction) for fraction in layer.fractions]).to(noise.device)
    parts = (noise * units[:, None, None, None]).reshape(1, 3 * channels, height, width)
    return parts.contiguous(memory_format=torch.channels_last)


def _unit(fraction: int) -> float:
    """The number between layers that operand 1 stands for."""
    return 2.0 ** (constants.FRACTION - fraction)


def _signs(weight: Tensor) -> Tensor:
    """1 where a weight is not negative, else -1."""
    return 1 - 2 * (weight < 0).float()


def _noise(shape: tuple[int, ...], positive: bool, device: torch.device) -> Tensor:
    """Operands over the whole range."""
    size = int(np.prod(shape))
    period = min(size, 2**16 + 1)  # a prime, so that no two rows are the same
    hashed = (_hashes(0, period) >> 8).astype(np.int64)
    low, high = (0, constants.MAX_POSITIVE_OPERAND) if positive else (-constants.MAX_OPERAND, constants.MAX_OPERAND)
    values = (hashed % (high - low + 1) + low).astype(np.float32)
    return torch.from_numpy(np.resize(values, shape)).to(device)


def _hashes(first: int, count: int) -> NDArray[np.uint64]:
    return (np.arange(first, first + count, dtype=np.uint64) * np.uint64(2654435761)) % np.uint64(2**32)
