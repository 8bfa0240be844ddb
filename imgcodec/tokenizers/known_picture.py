"""The known-answer test of a tokenizer: what it makes of a fixed picture and of fixed tokens.

A prior's answer is integers, the same everywhere, so their hash will do (`imgcodec.priors.integer.known_answer`). The
transforms are in floating point, and machines may differ by a grey level; a hash would not bear that, so the answer is
a small picture itself. Analysis and synthesis meet in it without a quantizer between them, because a value that is
rounded the other way on another machine would change far more than a grey level.

    photo     latent of the picture + that of the tokens ─► synthesis, at two levels of quality, of each tune
    raster    latent of the picture ─► synthesis; the tokens ─► decoder
    semantic  vector of the picture ─► thumbnail, and what half of the noise is taken from
"""

import base64
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.features import FeatureEncoder
from imgcodec.tokenizers.protocol import RasterTokenizer
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import STRIDES
from imgcodec.tokenizers.semantic import SemanticTokenizer

LEVELS = 2
"""At which `photo` is tried, between rows of its tables. With twice as many hardly more is noticed."""

SHOWN = 32
"""Rows and columns in the middle of each picture that are compared: every phase of a block of 16 x 16, twice."""

TOLERANCE = 1
"""Grey levels between machines."""


@torch.inference_mode()
def known_picture(tokenizer: nn.Module) -> NDArray[np.uint8]:
    """What a tokenizer computes on its device: (N, rows, columns, 3), the same for a tokenizer everywhere to one grey
    level. Takes some ten milliseconds."""
    match tokenizer:
        case ResidualVQ():
            parts = _photo(tokenizer)
        case SemanticTokenizer():
            parts = _semantic(tokenizer)
        case _:
            parts = _raster(cast(RasterTokenizer, tokenizer))
    shown = torch.cat([_middle(part) for part in parts]).permute(0, 2, 3, 1)
    return shown.nan_to_num(0).mul(255).round().clamp(0, 255).to("cpu", torch.uint8).numpy()


def as_text(picture: NDArray[np.uint8]) -> str:
    """An answer as a model file holds it: its samples in base64."""
    return base64.b64encode(picture.tobytes()).decode()


def is_same(picture: NDArray[np.uint8], text: str) -> bool:
    """Whether an answer is that of a model file."""
    try:
        known = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except ValueError:
        return False
    return known.size == picture.size and int(np.abs(picture.ravel().astype(np.int16) - known).max()) <= TOLERANCE


def _photo(tokenizer: ResidualVQ) -> list[Tensor]:
    device, levels, side = tokenizer.log_gain[0].device, tokenizer.config.levels, STRIDES[0]
    level = (torch.arange(LEVELS, device=device) + 0.25) * (levels - 1) / LEVELS
    latent = tokenizer.analysis(_pixels(LEVELS, side, device))
    tokens = [
        tokenizer.zero + _sparse((LEVELS, groups, side // stride, side // stride), device)
        for groups, stride in zip(tokenizer.config.channels, STRIDES, strict=True)
    ]
    parts = [tokenizer.synthesis(latent + tokenizer.dequantize(tokens, level), level)]
    if tokenizer.visual is not None:
        parts.append(tokenizer.visual(latent + tokenizer.dequantize(tokens, level + levels), level))
    return parts


def _raster(tokenizer: RasterTokenizer) -> list[Tensor]:
    device, side = next(cast(nn.Module, tokenizer).parameters()).device, max(SHOWN, tokenizer.strides[0])
    tokens = [_hashes((1, side // s, side // s), device) % tokenizer.codebook_size for s in tokenizer.strides]
    parts = [tokenizer.reconstruct(_pixels(1, side, device))]
    # a scale at a time, the picture of the largest one last: their sizes differ, and so does what is in the middle
    return parts + [tokenizer.decode(tokens, scale) for scale in tokenizer.scales]


def _semantic(tokenizer: SemanticTokenizer) -> list[Tensor]:
    """Of CLIP the weights may not be there, so the vector of such a model is made up."""
    encoder, decoder = tokenizer.encoder, tokenizer.decoder
    device, side = tokenizer.quantizer.scale.device, decoder.config.side
    if isinstance(encoder, FeatureEncoder):
        vector = encoder(_pixels(1, encoder.side, device)).float()
    else:
        vector = F.normalize(_hashes((1, encoder.dim), device) % 256 - 127.5, dim=1)
    hint = decoder.hint(encoder.thumbnail(vector), 1)
    time = torch.full((1,), decoder.noise.steps // 2, device=device)
    noisy = (_hashes((1, 3, side, side), device) % 256 - 127.5) / 74  # of a deviation of about 1
    left = decoder.noise.predict_x0(noisy, time, decoder.predict(noisy, time, vector, hint))
    return [hint, decoder.to_pixels(left, hint)]


def _middle(pictures: Tensor) -> Tensor:
    top, left = ((side - min(side, SHOWN)) // 2 for side in pictures.shape[2:])
    return pictures[:, :, top : top + SHOWN, left : left + SHOWN]


def _pixels(count: int, side: int, device: torch.device) -> Tensor:
    """Noise, (count, 3, side, side): all frequencies, and what is decoded from it is seldom clipped."""
    return 0.5 + (_hashes((count, 3, side, side), device) % 256 - 127.5).float() / 384


def _sparse(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Zeros, and here and there 1 or -1: tokens that are far apart do not add up to what is clipped."""
    hashed = _hashes(shape, device)
    return (hashed % 16 == 0).long() * ((hashed >> 8) % 2 * 2 - 1)


def _hashes(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Numbers from 0 to 2^24 - 1: the upper bits of Knuth's multiplicative hash."""
    numbers = np.arange(int(np.prod(shape)), dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
    return torch.from_numpy((numbers >> np.uint64(8)).astype(np.int64)).reshape(shape).to(device)
