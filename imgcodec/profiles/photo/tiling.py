"""Transforms over pictures of any size, in pieces that fit in the cache, with no seams.

A piece is computed with a margin of what its result can depend on, and the margin is cut off: the result is that of the
whole picture at once, to float rounding.
"""

from collections.abc import Iterable, Iterator, Sequence
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
    """Latent (1, C, h, w) of a part of the picture, and where that is, in pixels."""

    top: int
    left: int
    latent: Tensor


def analyse(tokenizer: ResidualVQ, pixels: NDArray[np.uint8], device: torch.device) -> Iterator[Piece]:
    """Pixels uint8 (H, W, 3) -> the latent, whole places of stage 0, in pieces. It is the same for all qualities."""
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
        place = (top - y0) // BLOCK, (left - x0) // BLOCK, (bottom - top) // BLOCK, (right - left) // BLOCK
        yield Piece(top, left, _cut(latent, *place))


@torch.inference_mode()
def scale(
    tokenizer: ResidualVQ, pieces: Iterable[Piece], size: tuple[int, int], level: float, masked: bool
) -> tuple[list[NDArray[np.float16]], NDArray[np.float32]]:
    """The pieces of a picture of size (H, W) -> its centred tokens, not rounded yet, (groups, ceil(H / stride),
    ceil(W / stride)) of each stage; those of stage 0 are whole numbers, because stage 1 is what they leave. And what an
    error is worth at each place of stage 1: the same everywhere, or, where `masked`, what it is worth to the eye."""
    channels = tokenizer.config.channels
    tokens = [
        np.empty((c, -(-size[0] // s), -(-size[1] // s)), np.float16) for c, s in zip(channels, STRIDES, strict=True)
    ]
    worth = np.ones(tokens[1].shape[1:], np.float32)
    for piece in pieces:
        if masked:
            seen = importance(tokenizer, piece.latent)[0].cpu().numpy()
            place = worth[piece.top // BLOCK :, piece.left // BLOCK :][: seen.shape[0], : seen.shape[1]]
            place[:] = seen[: place.shape[0], : place.shape[1]]
        levels = torch.tensor([level], device=piece.latent.device)
        for stage, stride, found in zip(tokens, STRIDES, tokenizer.scaled_residuals(piece.latent, levels), strict=True):
            place = stage[:, piece.top // stride :, piece.left // stride :][:, : found.shape[2], : found.shape[3]]
            place[:] = found[0, :, : place.shape[1], : place.shape[2]].half().cpu().numpy()
    return tokens, worth


@torch.inference_mode()
def synthesise(
    tokenizer: ResidualVQ,
    synthesis: Synthesis,
    tokens: Sequence[NDArray[np.int16]],
    size: tuple[int, int],
    level: float,
    device: torch.device,
) -> NDArray[np.uint8]:
    """Tokens of all stages, or of the first -> pixels uint8 (H, W, 3); size: (H, W)."""
    height, width = size
    pixels = np.empty((height, width, 3), np.uint8)
    levels = torch.tensor([level], device=device)
    zero = tokenizer.config.codes // 2
    margin = -(-synthesis.halo // POOL) * STRIDES[0]  # whole places of every stage
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
        place = pixels[top:bottom, left:right]
        decoded = _cut(decoded, top - y0, left - x0, place.shape[0], place.shape[1])
        place[:] = decoded[0].permute(1, 2, 0).mul(255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
    return pixels


def _pieces(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """(top, left, bottom, right) of pieces that cover the picture padded up to the largest stride."""
    for top in range(0, height, PIECE):
        for left in range(0, width, PIECE):
            yield top, left, min(top + PIECE, _up(height)), min(left + PIECE, _up(width))


def _up(length: int) -> int:
    return -(-length // STRIDES[0]) * STRIDES[0]


def _cut(x: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    return x[:, :, top : top + height, left : left + width]
