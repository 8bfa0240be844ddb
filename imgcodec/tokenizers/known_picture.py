"""The known-answer test of a tokenizer: what it makes of a fixed picture and of fixed tokens.

A prior's answer is integers, the same everywhere, so their hash will do (`imgcodec.priors.integer.known_answer`). The
transforms are in floating point, and machines may differ by a gray level; a hash would not bear that, so the answer is
a small picture itself. Analysis and synthesis meet in it without a quantizer between them, because a value that is
rounded the other way on another machine would change far more than a gray level.

    photo     latent of the picture + that of the tokens ─► synthesis, at two levels of quality, of each tune
    raster    latent of the picture ─► synthesis; the tokens ─► decoder
    semantic  vector of the picture ─► thumbnail, and what half of the noise is taken from
"""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.features import FeatureEncoder
from imgcodec.tokenizers.known_inputs import LEVELS, SHOWN, hashes, known_levels, noisy_pixels, sparse_tokens
from imgcodec.tokenizers.protocol import RasterTokenizer
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import STRIDES
from imgcodec.tokenizers.semantic import SemanticTokenizer


@torch.inference_mode()
def known_picture(tokenizer: nn.Module) -> NDArray[np.uint8]:
    """What a tokenizer computes on its device: (N, rows, columns, 3), the same for a tokenizer everywhere to one gray
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


def _photo(tokenizer: ResidualVQ) -> list[Tensor]:
    device, levels, side = tokenizer.log_gain[0].device, tokenizer.config.levels, STRIDES[0]
    level = torch.tensor(known_levels(levels), dtype=torch.float32, device=device)
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
    parts = [hint, decoder.to_pixels(left, hint)]
    if tokenizer.upscaler is not None:
        middle = slice(side // 2, side // 2 + side)  # as many pixels as the others have
        parts.append(tokenizer.upscaler(parts[1])[:, :, middle, middle])
    return parts


def _middle(pictures: Tensor) -> Tensor:
    top, left = ((side - min(side, SHOWN)) // 2 for side in pictures.shape[2:])
    return pictures[:, :, top : top + SHOWN, left : left + SHOWN]


def _pixels(count: int, side: int, device: torch.device) -> Tensor:
    return torch.from_numpy(noisy_pixels(count, side)).to(device)


def _sparse(shape: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.from_numpy(sparse_tokens(shape)).to(device)


def _hashes(shape: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.from_numpy(hashes(shape)).to(device)
