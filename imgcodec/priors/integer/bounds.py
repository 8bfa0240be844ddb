"""The bounds under which the arithmetic of a layer is exact in float32 (`docs/numerics.md`). Knows no torch."""

import math

import numpy as np
from numpy.typing import NDArray

from imgcodec.priors.integer.constants import (
    FRACTION,
    LIMIT,
    MASKED,
    MAX_OPERAND,
    MAX_POSITIVE_OPERAND,
    MAX_SHIFT,
    SCORE_DIVISOR,
    SCORE_FRACTION,
    BoundError,
)

Numbers = NDArray[np.generic]


def check_fractions(*fractions: object) -> None:
    """Raises BoundError unless units of operands are 2**8 to 2**-8, which the bounds of attention take for granted."""
    if any(type(f) is not int or abs(f) > FRACTION for f in fractions):
        raise BoundError(f"the unit of an operand is not one of 2**-{FRACTION} to 2**{FRACTION}")


def product_bound(weight: Numbers, bias: Numbers, shift: Numbers, largest: int) -> float:
    """The largest |output| of a product, for operands up to `largest`. Raises BoundError where it could be inexact."""
    weights, biases, shifts = (_integers(numbers) for numbers in (weight, bias, shift))
    if weights is None or biases is None or shifts is None:
        raise BoundError("weights, biases and shifts must be integers")
    magnitudes = np.abs(weights).reshape(len(weights), -1)
    if magnitudes.max() > MAX_OPERAND or np.abs(shifts).max() > MAX_SHIFT:
        raise BoundError("a weight or a shift is out of range")
    sums = magnitudes.sum(1, dtype=np.float64) * largest + np.abs(biases).astype(np.float64)
    outputs = sums * np.exp2(-shifts.astype(np.float64))
    if sums.max() >= LIMIT or outputs.max() >= LIMIT:
        raise BoundError(f"sums of up to {sums.max():.0f} are not exact in float32")
    return math.ceil(outputs.max())


def check_attention(channels: int, window: int, position: Numbers, fractions: tuple[int, int, int]) -> None:
    """Raises BoundError for attention in windows whose sums could be inexact. channels: of a head."""
    check_fractions(*fractions)
    biases = _integers(position)
    if biases is None or not np.abs(biases).max() <= MASKED / 8:
        raise BoundError("a score bias is no integer, or out of range")
    products = channels * MAX_OPERAND**2
    scores = products * 2.0 ** -score_shift(fractions) + float(np.abs(biases).max()) + MASKED
    mixed = window**2 * MAX_POSITIVE_OPERAND * MAX_OPERAND
    if max(products, scores, mixed) >= LIMIT:
        raise BoundError("attention whose sums are not exact in float32")


def score_shift(fractions: tuple[int, int, int]) -> int:
    """From query . key to a score: a score is the product times 2**-shift. fractions: of query, key and value."""
    return fractions[0] + fractions[1] + SCORE_DIVISOR - SCORE_FRACTION


def rows_bound(rows: Numbers) -> float:
    """The largest entry of a table of levels. Raises BoundError where one is no integer below 2**24."""
    entries = _integers(rows)
    if entries is None or not np.abs(entries).max() < LIMIT:
        raise BoundError("a table of levels has other entries than integers below 2**24")
    return float(np.abs(entries).max())


def check_total(total: float) -> None:
    """Raises BoundError where the bounds of all layers of a prior add up to too much."""
    if total >= LIMIT:
        raise BoundError(f"sums of up to {total:.0f} between layers are not exact in float32")


def _integers(numbers: Numbers) -> NDArray[np.float64] | NDArray[np.int16] | None:
    """Numbers in float64, small ones in int16, where magnitudes can be taken; None where they are not all integers."""
    if numbers.dtype in (np.int8, np.uint8):
        return numbers.astype(np.int16)
    values = numbers.astype(np.float64)
    return values if np.isfinite(values).all() and (values == np.rint(values)).all() else None
