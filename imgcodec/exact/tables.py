"""The frequency tables of differences from a prediction: frozen ones, of all widths (`docs/format.md`, section 9.4).

Table j is a mixture of two geometric distributions over both signs, the narrower of which has a mean magnitude of about
2^(j / 3 - 10). All of it is computed in whole numbers, so it is the same everywhere.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, complete_weights

COUNT = 78
BINS = 64  # of activities
_HALF = 63  # the largest high part that needs no escape
_ONE = 2**30
_EXACT = 256  # magnitudes below this have a cost of their own; larger ones are grouped


@cache
def frequency_tables() -> FrequencyTables:
    """Tables 0 to COUNT - 1."""
    shifts = np.array([max(0, (number - 37) // 3) for number in range(COUNT)], np.uint8)
    weights = np.empty((COUNT, 2 * _HALF + 2), np.int64)
    for number, shift in enumerate(shifts.tolist()):
        mean = _cube_root(2 ** (number + 30)) >> shift  # in units of 2^-20
        narrow, wide = _geometric(mean), _geometric(3 * mean)
        mixed = [7 * one + other for one, other in zip(narrow, wide, strict=True)]
        row = [(TOTAL - weights.shape[1]) * part // (8 * _ONE) for part in mixed]
        weights[number] = [*row[_HALF:0:-1], *row]
    return FrequencyTables(complete_weights(weights).astype(np.uint32), shifts)


def _geometric(mean: int) -> list[int]:
    """Shares of the magnitudes 0 to _HALF, of one sign, and of all larger ones of both, in units of 2^-30."""
    ratio = _ONE * mean // (mean + 2**20)
    powers = [_ONE]
    for _ in range(_HALF + 1):
        powers.append(powers[-1] * ratio >> 30)
    beyond = 2 * powers.pop() * _ONE // (_ONE - ratio)
    total = powers[0] + 2 * sum(powers[1:]) + beyond
    return [_ONE * part // total for part in (*powers, beyond)]


def _cube_root(number: int) -> int:
    """The integer part of the cube root."""
    root = round(number ** (1 / 3))
    while root**3 > number:
        root -= 1
    while (root + 1) ** 3 <= number:
        root += 1
    return root


_THRESHOLDS = np.array(
    [_cube_root(2**number - 1) + 1 for number in range(BINS - 1)]
)  # the least t with t^3 >= 2^number
_SMALL = np.searchsorted(_THRESHOLDS, np.arange(2**13), side="right").astype(np.uint8)  # all there are of 8 bits


def bins(activity: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.uint8]:
    """The bin of each activity, a whole number from 0, 0 to BINS - 1: how many t from the thresholds are not larger."""
    if activity.size and activity.max() < len(_SMALL):
        return _SMALL[activity.astype(np.intp)]
    return np.searchsorted(_THRESHOLDS, activity, side="right").astype(np.uint8)


def cheapest(bin: NDArray[np.uint8], values: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The table of each bin (BINS,) that takes the fewest bits for the values (n,) of these bins (n,). Bins without
    values have the table of the one before."""
    costs, groups = _costs(), _group(np.abs(values))
    seen = np.bincount(bin.astype(np.int64) * costs.shape[1] + groups, minlength=BINS * costs.shape[1])
    seen = seen.reshape(BINS, -1)
    best = (seen @ costs.T).argmin(1).astype(np.uint8)
    for number in range(1, BINS):
        if not seen[number].any():
            best[number] = best[number - 1]
    return best


def _group(magnitude: NDArray[np.int32]) -> NDArray[np.int64]:
    """The magnitude, where it is small; else a number that stands for some, eight to a doubling."""
    if magnitude.max() < _EXACT:
        return magnitude.astype(np.int64)
    large = np.frexp(np.maximum(magnitude, _EXACT).astype(np.float64))
    grouped = _EXACT + (large[1] - 9) * 8 + (16 * large[0] - 8).astype(np.int64)
    return np.where(magnitude < _EXACT, magnitude, grouped)


@cache
def _costs() -> NDArray[np.float64]:
    """Bits of a value of each group, or of 18 bits at most, in each table (COUNT, groups)."""
    tables = frequency_tables()
    larger = [int(2.0 ** (9 + octave) * (8.5 + part) / 16) for octave in range(10) for part in range(8)]
    values = np.array([*range(_EXACT), *larger])
    bits = -np.log2((tables.weights + 1) / TOTAL)
    costs = np.empty((COUNT, len(values)))
    for number, shift in enumerate(tables.shift.tolist()):
        high = values >> shift
        escaped = 2 * np.maximum(high - tables.half, 1)
        inside = bits[number][np.minimum(high, tables.half) + tables.half]
        outside = bits[number][tables.escape] + 5 + np.floor(np.log2(escaped))
        costs[number] = shift + np.where(high <= tables.half, inside, outside)
    return costs
