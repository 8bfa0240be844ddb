"""Exact blocks of a tile whose other pixels are made of tokens (`docs/format.md`, section 3.6).

a bit for each block of the tile | the samples of the smallest rectangle that has all blocks with a bit (tile.py)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import Rectangle

SIDE = 64  # pixels of a block; those in the last column and row of a picture may be smaller


@dataclass(frozen=True)
class Blocks:
    """Pixels uint8 (h, w, 3) whose first lies at (top, left) of the picture, and which of them are there (h, w)."""

    top: int
    left: int
    pixels: NDArray[np.uint8]
    is_there: NDArray[np.bool_]

    def put_into(self, canvas: NDArray[np.uint8], top: int = 0, left: int = 0) -> None:
        """Replaces pixels of a part (H, W, 3) of the picture, whose first lies at (top, left)."""
        height, width = self.is_there.shape
        first, last = max(self.top, top), min(self.top + height, top + canvas.shape[0])
        start, end = max(self.left, left), min(self.left + width, left + canvas.shape[1])
        if first >= last or start >= end:
            return
        here = slice(first - self.top, last - self.top), slice(start - self.left, end - self.left)
        there = canvas[first - top : last - top, start - left : end - left]
        there[self.is_there[here]] = self.pixels[here][self.is_there[here]]

    def reduced(self, reduction: int) -> "Blocks":
        """The means of squares of so many pixels a side, a divisor of SIDE."""
        height, width = self.is_there.shape
        short = ((0, -height % reduction), (0, -width % reduction), (0, 0))
        whole = np.pad(self.pixels, short, mode="edge")
        rows, columns = whole.shape[0] // reduction, whole.shape[1] // reduction
        means = whole.reshape(rows, reduction, columns, reduction, 3).mean((1, 3), dtype=np.float32)
        is_there = self.is_there[::reduction, ::reduction]
        return Blocks(self.top // reduction, self.left // reduction, means.round().astype(np.uint8), is_there)


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of blocks."""
    return -(-height // SIDE), -(-width // SIDE)


def enlarged(chosen: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """For each pixel of a size (H, W), whether its block is chosen."""
    return chosen.repeat(SIDE, axis=0).repeat(SIDE, axis=1)[: size[0], : size[1]]


def write(pixels: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> bytes:
    """The data of a section: of the pixels (H, W, 1 or 3) of a tile, and the blocks that are chosen, one at least."""
    top, left, bottom, right = _rectangle(chosen, pixels.shape[:2])
    inside = np.where(enlarged(chosen, pixels.shape[:2])[..., None], pixels, 0)[top:bottom, left:right]
    bits = np.packbits(chosen.ravel(), bitorder="little").tobytes()
    from imgcodec.exact import tile  # which hardly any picture needs

    return bits + tile.encode(np.ascontiguousarray(inside.transpose(2, 0, 1)).astype(np.uint8))


def read(data: bytes, place: Rectangle, channels: int) -> Blocks:
    """The blocks of the tile at a place. Raises InvalidFileError for data that no writer makes."""
    size = place.height, place.width
    rows, columns = grid(*size)
    count = -(-rows * columns // 8)
    bits = np.unpackbits(np.frombuffer(data[:count], np.uint8), bitorder="little").astype(bool)
    if len(bits) < 8 * count or not bits.any() or bits[rows * columns :].any():
        raise InvalidFileError("The exact blocks are damaged: they do not say which they are.")
    chosen = bits[: rows * columns].reshape(rows, columns)
    top, left, bottom, right = _rectangle(chosen, size)
    from imgcodec.exact import tile

    samples = tile.decode(data[count:], (channels, bottom - top, right - left), 8).transpose(1, 2, 0)
    pixels = np.broadcast_to(samples, (*samples.shape[:2], 3)).astype(np.uint8)
    return Blocks(place.top + top, place.left + left, pixels, enlarged(chosen, size)[top:bottom, left:right])


def _rectangle(chosen: NDArray[np.bool_], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the smallest rectangle with all chosen blocks, in pixels."""
    rows, columns = (np.flatnonzero(chosen.any(axis)) for axis in (1, 0))
    bottom, right = min(size[0], SIDE * (int(rows[-1]) + 1)), min(size[1], SIDE * (int(columns[-1]) + 1))
    return SIDE * int(rows[0]), SIDE * int(columns[0]), bottom, right
