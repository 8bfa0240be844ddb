"""What goes into the known-answer test of a prior, and the hash of what comes out: see `known_answer`. Knows no torch.

Tokens and other operands are hashes of their number (Knuth's multiplicative hash).
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from imgcodec.priors.integer import constants

QUALITY = 12800
TILE_SIDE = 8
"""Rows and columns of stage 0 in the tile of the layers, 512 x 512 pixels. A larger one would find little more, and
take longer than loading a model should."""

Float32s = NDArray[np.float32]


def answer_of(parts: Iterable[NDArray[np.generic]]) -> str:
    """SHA-256, as hexadecimal, of what a prior computes, integers of any type."""
    digest = hashlib.sha256()
    for numbers in parts:
        integers = np.ascontiguousarray(numbers).astype("<i4", copy=False)
        digest.update(google_crc32c.value(integers.tobytes()).to_bytes(4, "little"))
    return digest.hexdigest()


class PhotoTokens:
    """The tokens of the whole prior, counted over all steps: mostly small, some over the whole range."""

    def __init__(self) -> None:
        self._count = 0

    def next(self, shape: tuple[int, ...]) -> NDArray[np.int32]:
        """Those of the next step, centred, (groups, rows, columns)."""
        hashed = hashes(self._count, int(np.prod(shape)))
        self._count += len(hashed)
        divisor = np.array([1, 16, 128, 512])[hashed >> 30]
        tokens = ((hashed >> 8) % 1023).astype(np.int64) - 511
        return (tokens // divisor).astype(np.int32).reshape(shape)


def linear_input(weight: NDArray[Any], positive: bool, fraction: int | None, height: int, width: int) -> Float32s:
    """(1, inputs, height, width), of a product with weights (outputs, inputs): at some positions operands that drive an
    output to the end of its range, at others noise."""
    if positive:
        largest = [constants.MAX_POSITIVE_OPERAND * wanted.astype(np.float32) for wanted in (weight > 0, weight < 0)]
    else:
        signs = _signs(weight)
        largest = [constants.MAX_OPERAND * signs, -constants.MAX_OPERAND * signs]
    rows = np.concatenate([*largest, noise((len(weight), weight.shape[1]), positive)])
    operands = np.ascontiguousarray(rows[order_of_rows(len(rows), height * width)].T).reshape(1, -1, height, width)
    return operands if fraction is None else np.multiply(operands, np.float32(unit(fraction)), out=operands)


def order_of_rows(rows: int, positions: int) -> NDArray[np.int64]:
    """Which of so many rows of operands each position gets: all of them, or some of each kind."""
    return np.arange(positions) * 7919 % rows  # a prime


def depthwise_input(weight: NDArray[Any], fraction: int, height: int, width: int) -> Float32s:
    """(1, C, height, width), of a depthwise convolution with weights (C, side, side): the upper half repeats the signs
    of the weights, so that every fifth position of every fifth row has the largest sum; the lower half is noise."""
    side, half = weight.shape[-1], height // 2
    tiles = (1, -(-half // side), -(-width // side))
    signs = np.tile(_signs(weight), tiles)[:, :half, :width]
    operands = np.concatenate([constants.MAX_OPERAND * signs, noise((len(weight), height - half, width), False)], 1)
    return operands[None] * np.float32(unit(fraction))


def attention_input(channels: int, window: int, fractions: tuple[int, int, int], height: int, width: int) -> Float32s:
    """(1, 3 * C, height, width), queries, keys and values: all at one end of their range, then at both ends, then
    noise, a third of the windows each."""
    operands = noise((3, channels, height, width), False)
    third = height // window // 3 * window
    operands[:, :, third : 2 * third] = constants.MAX_OPERAND * np.sign(operands[:, :, third : 2 * third])
    operands[:, :, :third] = constants.MAX_OPERAND
    units = np.array([unit(fraction) for fraction in fractions], np.float32)
    return (operands * units[:, None, None, None]).reshape(1, 3 * channels, height, width)


def unit(fraction: int) -> float:
    """The number between layers that operand 1 stands for."""
    return 2.0 ** (constants.FRACTION - fraction)


def noise(shape: tuple[int, ...], positive: bool) -> Float32s:
    """Operands over the whole range."""
    return np.resize(noise_period(positive)[: int(np.prod(shape))], shape)


@cache
def noise_period(positive: bool) -> Float32s:
    """Operands that begin anew after a prime number, so that no two rows of a layer are the same."""
    hashed = (hashes(0, 2**16 + 1) >> 8).astype(np.int64)
    largest = constants.MAX_OPERAND
    low, high = (0, constants.MAX_POSITIVE_OPERAND) if positive else (-largest, largest)
    return (hashed % (high - low + 1) + low).astype(np.float32)


def hashes(first: int, count: int) -> NDArray[np.uint64]:
    """Of the numbers from `first` on, 32 bits each."""
    return (np.arange(first, first + count, dtype=np.uint64) * np.uint64(2654435761)) % np.uint64(2**32)


def _signs(weight: NDArray[Any]) -> Float32s:
    """1 where a weight is not negative, else -1."""
    return 1 - 2 * (weight < 0).astype(np.float32)
