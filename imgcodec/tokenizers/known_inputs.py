"""What goes into the known-answer test of a tokenizer, and how its answer is compared: see `known_picture`. Knows no
torch."""

import base64

import numpy as np
from numpy.typing import NDArray

LEVELS = 2
"""At which `photo` is tried, between rows of its tables. With twice as many hardly more is noticed."""

SHOWN = 32
"""Rows and columns in the middle of each picture that are compared: every phase of a block of 16 x 16, twice."""

TOLERANCE = 1
"""Gray levels between machines."""


def as_text(picture: NDArray[np.uint8]) -> str:
    """An answer as a model file holds it: its samples in base64."""
    return base64.b64encode(picture.tobytes()).decode()


def is_same(picture: NDArray[np.uint8], text: str, part: int = 0, parts: int = 1) -> bool:
    """Whether an answer is that of a model file, or that part of it of so many of one size."""
    try:
        known = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except ValueError:
        return False
    if known.size != parts * picture.size:
        return False
    known = known[part * picture.size : (part + 1) * picture.size]
    return int(np.abs(picture.ravel().astype(np.int16) - known).max()) <= TOLERANCE


def known_levels(levels: int) -> list[float]:
    """The levels of quality at which `photo` is tried, of so many rows of its tables."""
    return [(number + 0.25) * (levels - 1) / LEVELS for number in range(LEVELS)]


def noisy_pixels(count: int, side: int) -> NDArray[np.float32]:
    """Noise, (count, 3, side, side): all frequencies, and what is decoded from it is seldom clipped."""
    return np.float32(0.5) + (hashes((count, 3, side, side)) % 256 - 127.5).astype(np.float32) / np.float32(384)


def sparse_tokens(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Zeros, and here and there 1 or -1: tokens that are far apart do not add up to what is clipped."""
    hashed = hashes(shape)
    return (hashed % 16 == 0) * ((hashed >> 8) % 2 * 2 - 1)


def middle(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """What of pictures (N, 3, H, W) is compared."""
    top, left = ((side - min(side, SHOWN)) // 2 for side in pictures.shape[2:])
    return pictures[:, :, top : top + SHOWN, left : left + SHOWN]


def hashes(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Numbers from 0 to 2^24 - 1: the upper bits of Knuth's multiplicative hash."""
    numbers = np.arange(int(np.prod(shape)), dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
    return (numbers >> np.uint64(8)).astype(np.int64).reshape(shape)
