"""Transforms over pictures of any size, in pieces that fit into the processor's cache, without seams.

A piece is computed with a margin as wide as its receptive field, and the margin is cut off: the result is that of the
whole picture at once, up to float rounding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.profiles.photo.masking import importance
from imgcodec.speed import reduced_precision
from imgcodec.tokenizers.rvq import POOL, STRIDES, ResidualVQ
from imgcodec.tokenizers.transforms import BLOCK, Synthesis

PIECE = 8 * STRIDES[0]
"""Side of a piece in pixels, a multiple of all strides."""


@dataclass(frozen=True)
class Piece:
    """The latent (1, C, h, w) of a part of the picture, whose top left corner is at (top, left) in pixels."""

    top: int
    left: int
    latent: Tensor


def analyse(tokenizer: ResidualVQ, pixels: NDArray[np.uint8], device: torch.device) -> Iterator[Piece]:
    """Pixels uint8 (H, W, 3) -> the latent, in pieces, of a picture padded to multiples of the coarsest stride. It is
    the same for all qualities."""
    height, width = pixels.shape[:2]
    margin = tokenizer.analysis.halo * BLOCK
    for top, left, bottom, right in _pieces(height, width):
        y0, x0 = max(0, top - margin), max(0, left - margin)
        y1, x1 = min(bottom + margin, _up(height)), min(right + margin, _up(width))
        piece = pixels[y0:y1, x0:x1]
        padding = ((0, y1 - y0 - piece.shape[0]), (0, x1 - x0 - piece.shape[1]), (0, 0))
        x = torch.from_numpy(np.pad(piece, padding, mode="edge")).to(device).permute(2, 0, 1)[None]
        with torch.inference_mode(), reduced_precision(device):
            latent = tokenizer.analysis(x.float().div_(255))
        region = (top - y0) // BLOCK, (left - x0) // BLOCK, (bottom - top) // BLOCK, (right - left) // BLOCK
        yield Piece(top, left, _crop(latent, *region))


@torch.inference_mode()
def quantize_latent(
    tokenizer: ResidualVQ, pieces: Iterable[Piece], size: tuple[int, int], level: float, masked: bool
) -> tuple[list[NDArray[np.float16]], NDArray[np.float32]]:
    """The pieces of a picture of size (H, W) -> centred tokens before they are chosen, and the weight of errors.

    Tokens: float16 (groups, ceil(H / stride), ceil(W / stride)) of each stage. Those of stage 0 are rounded, because
    stage 1 is the residual; those of stage 1 are real numbers, which the encoder rounds. Weights: float32 (rows,
    columns), of squared errors at each position of stage 1; 1 everywhere, or `importance` where `masked`.
    """
    channels = tokenizer.config.channels
    tokens = [
        np.empty((c, -(-size[0] // s), -(-size[1] // s)), np.float16) for c, s in zip(channels, STRIDES, strict=True)
    ]
    distortion_weight = np.ones(tokens[1].shape[1:], np.float32)
    for piece in pieces:
        if masked:
            weight = importance(tokenizer, piece.latent)[0].cpu().numpy()
            region = distortion_weight[piece.top // BLOCK :, piece.left // BLOCK :]
            region = region[: weight.shape[0], : weight.shape[1]]
            region[:] = weight[: region.shape[0], : region.shape[1]]
        levels = torch.tensor([level], dtype=torch.float32, device=piece.latent.device)
        for stage, stride, found in zip(tokens, STRIDES, tokenizer.scaled_residuals(piece.latent, levels), strict=True):
            region = stage[:, piece.top // stride :, piece.left // stride :][:, : found.shape[2], : found.shape[3]]
            region[:] = found[0, :, : region.shape[1], : region.shape[2]].half().cpu().numpy()
    return tokens, distortion_weight


@torch.inference_mode()
def synthesise(
    tokenizer: ResidualVQ,
    synthesis: Synthesis,
    tokens: Sequence[NDArray[np.int16]],
    size: tuple[int, int],
    level: float,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
) -> NDArray[np.uint8]:
    """Tokens of all stages, or of the first -> pixels uint8 (H, W, 3); size: (H, W). advance: called after each piece,
    with its share of all."""
    height, width = size
    pixels = np.empty((height, width, 3), np.uint8)
    levels = torch.tensor([level], dtype=torch.float32, device=device)
    zero = tokenizer.config.codes // 2
    margin = -(-synthesis.halo // POOL) * STRIDES[0]  # a multiple of every stride
    for top, left, bottom, right in _pieces(height, width):
        y0, x0 = max(0, top - margin), max(0, left - margin)
        y1, x1 = min(bottom + margin, _up(height)), min(right + margin, _up(width))
        piece = []
        for stage, stride in zip(tokens, STRIDES, strict=False):
            part = stage[:, y0 // stride : y1 // stride, x0 // stride : x1 // stride]
            short = ((0, 0), (0, (y1 - y0) // stride - part.shape[1]), (0, (x1 - x0) // stride - part.shape[2]))
            padded = np.pad(part, short, constant_values=zero)
            piece.append(torch.from_numpy(padded).to(device)[None])
        latent = tokenizer.dequantize(piece, levels)
        with reduced_precision(device):
            decoded = synthesis(latent.contiguous(memory_format=torch.channels_last), levels % tokenizer.config.levels)
        region = pixels[top:bottom, left:right]
        decoded = _crop(decoded, top - y0, left - x0, region.shape[0], region.shape[1])
        region[:] = decoded[0].permute(1, 2, 0).mul(255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        advance(1 / piece_count(height, width))
    return pixels


def piece_count(height: int, width: int) -> int:
    """How many pieces a picture has."""
    return -(-height // PIECE) * -(-width // PIECE)


@torch.inference_mode()
def synthesise_reduced(
    tokenizer: ResidualVQ,
    synthesis: Synthesis,
    tokens: Sequence[NDArray[np.int16]],
    size: tuple[int, int],
    level: float,
    reduction: int,
    device: torch.device,
) -> NDArray[np.uint8]:
    """As `synthesise`, `reduction` (8, 16 or 64) times smaller: uint8 (ceil(H / reduction), ceil(W / reduction), 3). At
    64, of the tokens of stage 0 alone, which are means over squares of 64 pixels."""
    height, width = size
    levels = torch.tensor([level], dtype=torch.float32, device=device)
    padded = []
    for stage, stride in zip(tokens, STRIDES, strict=True):
        short = ((0, 0), (0, _up(height) // stride - stage.shape[1]), (0, _up(width) // stride - stage.shape[2]))
        whole = np.pad(stage, short, constant_values=tokenizer.zero)
        padded.append(torch.from_numpy(whole).to(device)[None])
    if reduction == STRIDES[0]:
        latent = tokenizer.dequantize(padded[:1], levels)[:, :, ::POOL, ::POOL]
    else:
        latent = tokenizer.dequantize(padded, levels)
    pixels = synthesis.reduced(latent, min(reduction, BLOCK))
    pixels = pixels[0, :, : -(-height // reduction), : -(-width // reduction)].permute(1, 2, 0)
    return pixels.mul(255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()


def _pieces(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """(top, left, bottom, right), in pixels, of pieces that cover the picture padded to the coarsest stride."""
    for top in range(0, height, PIECE):
        for left in range(0, width, PIECE):
            yield top, left, min(top + PIECE, _up(height)), min(left + PIECE, _up(width))


def _up(length: int) -> int:
    """A length rounded up to a multiple of the coarsest stride."""
    return -(-length // STRIDES[0]) * STRIDES[0]


def _crop(x: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    return x[:, :, top : top + height, left : left + width]
