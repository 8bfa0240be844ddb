"""Transforms over pictures of any size, in pieces, without seams.

A piece is computed with a margin as wide as its receptive field, and the margin is cut off: the result is that of the
whole picture at once, up to float rounding. So small pieces compute much twice, and large ones take memory.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgcodec.parallel import side_by_side
from imgcodec.profiles.photo.nets import Transforms
from imgcodec.tokenizers.blocks import BLOCK, Box
from imgcodec.tokenizers.rvq_config import STRIDES

PIECE = 16 * STRIDES[0]
"""The longest side of a piece in pixels, a multiple of all strides."""


@dataclass(frozen=True)
class Piece:
    """The latent, as `Transforms` have it, of a part of the picture, whose top left corner is at (top, left) in
    pixels."""

    top: int
    left: int
    latent: Any


def analyse(transforms: Transforms, pixels: NDArray[np.uint8]) -> Iterator[Piece]:
    """Pixels uint8 (H, W, 3) -> the latent, in pieces, of a picture padded to multiples of the coarsest stride. It is
    the same for all qualities."""
    height, width = pixels.shape[:2]
    margin = transforms.config.analysis_halo * BLOCK

    def analysed(place: Box) -> Piece:
        top, left, bottom, right = place
        y0, x0 = max(0, top - margin), max(0, left - margin)
        y1, x1 = min(bottom + margin, _up(height)), min(right + margin, _up(width))
        piece = pixels[y0:y1, x0:x1]
        padding = ((0, y1 - y0 - piece.shape[0]), (0, x1 - x0 - piece.shape[1]), (0, 0))
        shown = ((top - y0) // BLOCK, (left - x0) // BLOCK, (bottom - y0) // BLOCK, (right - x0) // BLOCK)
        return Piece(top, left, transforms.analyse(np.pad(piece, padding, mode="edge"), shown))

    return side_by_side(analysed, list(_pieces(height, width)), transforms.threads)


def quantize_latent(
    transforms: Transforms, pieces: Iterable[Piece], size: tuple[int, int], level: float, masked: bool
) -> tuple[list[NDArray[np.float16]], NDArray[np.float32]]:
    """The pieces of a picture of size (H, W) -> centred tokens before they are chosen, and the weight of errors.

    Tokens: float16 (groups, ceil(H / stride), ceil(W / stride)) of each stage. Those of stage 0 are rounded, because
    stage 1 is the residual; those of stage 1 are real numbers, which the encoder rounds. Weights: float32 (rows,
    columns), of squared errors at each position of stage 1; 1 everywhere where not `masked`.
    """
    channels = transforms.config.channels
    tokens = [
        np.empty((c, -(-size[0] // s), -(-size[1] // s)), np.float16) for c, s in zip(channels, STRIDES, strict=True)
    ]
    distortion_weight = np.ones(tokens[1].shape[1:], np.float32)
    for piece in pieces:
        *found, weight = transforms.quantize(piece.latent, level, masked)
        if weight is not None:
            region = distortion_weight[piece.top // BLOCK :, piece.left // BLOCK :]
            region = region[: weight.shape[0], : weight.shape[1]]
            region[:] = weight[: region.shape[0], : region.shape[1]]
        for stage, stride, values in zip(tokens, STRIDES, found, strict=True):
            region = stage[:, piece.top // stride :, piece.left // stride :][:, : values.shape[1], : values.shape[2]]
            region[:] = values[:, : region.shape[1], : region.shape[2]]
    return tokens, distortion_weight


def synthesise(
    transforms: Transforms,
    tokens: Sequence[NDArray[np.int16]],
    size: tuple[int, int],
    level: float,
    advance: Callable[[float], None] = lambda share: None,
    wanted: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Tokens of all stages, or of the first -> pixels uint8 (H, W, 3); size: (H, W). advance: called after each piece,
    with its share of all. wanted: the squares (rows, columns) of `STRIDES[0]` pixels that are needed, None for all;
    others may stay black."""
    height, width = size
    pixels = np.empty((height, width, 3), np.uint8) if wanted is None else np.zeros((height, width, 3), np.uint8)
    stages = _both(transforms, tokens, size)
    halo = transforms.config.synthesis_halo * BLOCK
    margin = -(-halo // STRIDES[0]) * STRIDES[0]  # of tokens; the transform leaves out what is too far
    pieces = list(_pieces(height, width))
    if wanted is not None:
        pieces = [part for piece in pieces for part in _parts_with(wanted, piece, halo)]

    def decode(place: Box) -> None:
        top, left, bottom, right = place
        y0, x0 = max(0, top - margin), max(0, left - margin)
        y1, x1 = min(bottom + margin, _up(height)), min(right + margin, _up(width))
        coarse, fine = (
            _padded(
                transforms,
                stage[:, y0 // stride : y1 // stride, x0 // stride : x1 // stride],
                ((y1 - y0) // stride, (x1 - x0) // stride),
            )
            for stage, stride in zip(stages, STRIDES, strict=True)
        )
        shown = (top - y0, left - x0, min(bottom, height) - y0, min(right, width) - x0)
        pixels[top:bottom, left:right] = transforms.synthesise(coarse, fine, level, shown)

    for _ in side_by_side(decode, pieces, transforms.threads):
        advance(1 / len(pieces))
    return pixels


def piece_count(height: int, width: int) -> int:
    """How many pieces a picture has."""
    return sum(1 for _ in _pieces(height, width))


def synthesise_reduced(
    transforms: Transforms, tokens: Sequence[NDArray[np.int16]], size: tuple[int, int], level: float, reduction: int
) -> NDArray[np.uint8]:
    """As `synthesise`, `reduction` (8, 16 or 64) times smaller: uint8 (ceil(H / reduction), ceil(W / reduction), 3). At
    64, of the tokens of stage 0 alone, which are means over squares of 64 pixels."""
    height, width = size
    coarse, fine = (
        _padded(transforms, stage, (_up(height) // stride, _up(width) // stride))
        for stage, stride in zip(tokens, STRIDES, strict=True)
    )
    pixels = transforms.reduced(coarse, fine, level, reduction)
    return pixels[: -(-height // reduction), : -(-width // reduction)]


def _both(
    transforms: Transforms, tokens: Sequence[NDArray[np.int16]], size: tuple[int, int]
) -> Sequence[NDArray[np.int16]]:
    """The tokens of both stages: zero codewords where there are none of stage 1."""
    if len(tokens) == len(STRIDES):
        return tokens
    config = transforms.config
    shape = (config.channels[1], *(-(-length // STRIDES[1]) for length in size))
    return [tokens[0], np.full(shape, config.zero, np.int16)]


def _padded(transforms: Transforms, stage: NDArray[np.int16], size: tuple[int, int]) -> NDArray[np.int16]:
    """Tokens of so many rows and columns: zero codewords on the right and below."""
    short = ((0, 0), (0, size[0] - stage.shape[1]), (0, size[1] - stage.shape[2]))
    return np.pad(stage, short, constant_values=transforms.config.zero)


def _pieces(height: int, width: int) -> Iterator[Box]:
    """Pieces that cover the picture padded to the coarsest stride, as few as there can be, and about equal."""
    rows, columns = _cuts(_up(height)), _cuts(_up(width))
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield top, left, bottom, right


def _cuts(length: int) -> list[int]:
    """Where a side is cut, at multiples of the coarsest stride, with both ends."""
    count, units = -(-length // PIECE), length // STRIDES[0]
    return [-(-units * part // count) * STRIDES[0] for part in range(count + 1)]


def _parts_with(wanted: NDArray[np.bool_], piece: Box, halo: int) -> list[Box]:
    """Rectangles that cover what is wanted of a piece, and with their margins are as little as cutting in halves
    finds."""
    top, left, bottom, right = (end // STRIDES[0] for end in piece)
    rows, columns = np.nonzero(wanted[top:bottom, left:right])
    if not rows.size:
        return []
    top, bottom = top + int(rows.min()), top + int(rows.max()) + 1
    left, right = left + int(columns.min()), left + int(columns.max()) + 1
    whole = (top * STRIDES[0], left * STRIDES[0], bottom * STRIDES[0], right * STRIDES[0])
    if wanted[top:bottom, left:right].all():
        return [whole]
    halves: tuple[Box, Box]  # across the longer side
    if bottom - top > right - left:
        middle = (top + bottom) // 2 * STRIDES[0]
        halves = (*whole[:2], middle, whole[3]), (middle, *whole[1:])
    else:
        middle = (left + right) // 2 * STRIDES[0]
        halves = (*whole[:3], middle), (whole[0], middle, *whole[2:])
    parts = [part for half in halves for part in _parts_with(wanted, half, halo)]
    return min([whole], parts, key=lambda places: sum(_cost(place, halo) for place in places))


def _cost(place: Box, halo: int) -> int:
    """The pixels of a rectangle and of its margins."""
    top, left, bottom, right = place
    return (bottom - top + 2 * halo) * (right - left + 2 * halo)


def _up(length: int) -> int:
    """A length rounded up to a multiple of the coarsest stride."""
    return -(-length // STRIDES[0]) * STRIDES[0]
