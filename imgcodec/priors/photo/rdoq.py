"""Rate-distortion optimised choice of tokens: an encoder that may write a cheaper token than the nearest one.

Rounding to the nearest codeword has the least distortion, but not the least cost bits + weight * error^2. What a token
costs is known only in the walk, where its table is; so the choice is made there, by an encoder that is given real
numbers instead of tokens and returns what it wrote. To the decoder it makes no difference.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, Int32s, Numbers, RangeEncoder


def slice_weight(first: int, groups: int, total: int) -> float:
    """Bits that a squared error of one step is worth in a slice of `groups` groups behind `first` of a stage's `total`.

    The loss by itself puts it near 5. But a token is also context for all that follow, which a wrong one misleads: the
    earlier it comes, the nearer it should be to the truth. The curve is the best of some on the development set.
    """
    return 4 * ((first + groups / 2) / total) ** -0.8


class Chooser:
    """A coder for values that are not rounded yet, which come in two calls a slice. It chooses, and writes nothing."""

    def __init__(self, tables: FrequencyTables, slices: Sequence[int], worth: NDArray[np.float32]) -> None:
        """slices: groups of each slice of the stage. worth: (rows, columns), of an error at each place."""
        self._tables = tables
        colours = np.indices(worth.shape).sum(0) % 2
        self._worth = [worth[colours == colour] for colour in (0, 1)]  # in the order of the walk
        self._costs = -np.log2((tables.weights.astype(np.float32) + 1) / TOTAL)
        self._weights = self._weight_of_call(slices)

    @staticmethod
    def _weight_of_call(slices: Sequence[int]) -> Iterator[tuple[float, int]]:
        """Weight and colour of each call."""
        first = 0
        for groups in slices:
            weight = slice_weight(first, groups, sum(slices))
            yield from ((weight, colour) for colour in (0, 1))
            first += groups

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Chooses, for each real value, the nearest integer or the next one towards 0, which is where the probability
        is: whichever costs less. Returns what it chose."""
        assert values is not None
        nearest = np.rint(values).astype(np.int32)
        chosen = nearest.copy()
        (large,) = np.nonzero(nearest)
        value, near, tables = values[large], nearest[large], table[large]
        nearer_zero = near - np.sign(near)
        weight, colour = next(self._weights)
        places = self._worth[colour]
        gain = weight * places[large % len(places)] * ((value - nearer_zero) ** 2 - (value - near) ** 2)
        chosen[large] = np.where(self._cost(near, tables) > self._cost(nearer_zero, tables) + gain, nearer_zero, near)
        return chosen

    def _cost(self, values: Int32s, table: NDArray[np.integer]) -> NDArray[np.float32]:
        """Bits of each value, but for low bits and what follows an escape: those are the same for neighbours."""
        half = self._tables.half
        high = values >> self._tables.shift[table].astype(np.int32)
        symbol = np.where(np.abs(high) <= half, high + half, self._tables.escape)
        return self._costs[table, symbol]


class Rounder:
    """A coder that takes the nearest integer of each value, and writes nothing."""

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """What was rounded."""
        assert values is not None
        return np.rint(values).astype(np.int32)


class ChoosingEncoder(RangeEncoder):
    """A range encoder that writes what a `Chooser` chooses."""

    def __init__(self, tables: FrequencyTables, slices: Sequence[int], worth: NDArray[np.float32]) -> None:
        """As for `Chooser`."""
        super().__init__(tables)
        self._chooser = Chooser(tables, slices, worth)

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Writes what is chosen for real values, and returns it."""
        return super().code(self._chooser.code(values, table), table)
