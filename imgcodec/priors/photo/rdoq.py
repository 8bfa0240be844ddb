"""Rate-distortion optimised quantization (RDOQ): the encoder may write a cheaper token than the nearest one.

The nearest codeword has the least distortion, but not the least cost bits + weight * error^2. What a token costs is
known only when it is coded, from its table. So the encoder gets real numbers instead of tokens, chooses as it codes,
and returns what it wrote. To the decoder it makes no difference.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, Int32s, Numbers

FEWEST_BITS = 4.0
"""What a token that is not zero costs at least where nearly all are."""


def slice_weight(first: int, groups: int, total: int) -> float:
    """The bits that equal a squared error of one step, for a slice of `groups` groups that begins at group `first` of
    the `total` of its stage.

    The training loss alone puts it near 5. But tokens are also context for all that follow, which wrong ones mislead:
    the earlier a slice comes, the nearer its tokens should be to the truth. The curve is the best of several on the
    development set.
    """
    return 6 * ((first + groups / 2) / total) ** -0.8


class RDOQuantizer:
    """Quantizes values as it would be cheapest to write them. It is called for anchors and for non-anchors of each
    slice."""

    def __init__(
        self, tables: FrequencyTables, slices: Sequence[int], distortion_weight: NDArray[np.float32], shares: int = 1
    ) -> None:
        """slices: groups of each slice of the stage. distortion_weight: (rows, columns), a factor on the squared error
        at each position. shares: calls for the anchors of a slice, and for its non-anchors."""
        self._tables = tables
        parity = np.indices(distortion_weight.shape).sum(0) % 2
        self._distortion_weights = [distortion_weight[parity == p] for p in (0, 1)]
        self._costs = -np.log2((tables.weights.astype(np.float32) + 1) / TOTAL)
        self._calls = self._weights_of_calls(slices, shares)

    def _weights_of_calls(self, slices: Sequence[int], shares: int) -> Iterator[NDArray[np.float32]]:
        """For each call, in order, the weights of the positions that it codes."""
        first = 0
        for groups in slices:
            weight = slice_weight(first, groups, sum(slices))
            for positions in self._distortion_weights:
                yield from repeat(weight * positions, shares)
            first += groups

    def quantize(self, values: Numbers, table: NDArray[np.integer]) -> Int32s:
        """Chooses, for each real value, the nearest integer or the next one towards 0, where the probability is higher:
        whichever costs less."""
        nearest = np.rint(values).astype(np.int32)
        chosen = nearest.copy()
        (nonzero,) = np.nonzero(nearest)
        value, near, tables = values[nonzero], nearest[nonzero], table[nonzero]
        towards_zero = near - np.sign(near)
        weights = next(self._calls)
        penalty = weights[nonzero % len(weights)] * ((value - towards_zero) ** 2 - (value - near) ** 2)
        is_cheaper = self._bits_of(near, tables) > self._bits_of(towards_zero, tables) + penalty
        chosen[nonzero] = np.where(is_cheaper, towards_zero, near)
        return chosen

    def _bits_of(self, values: Int32s, table: NDArray[np.integer]) -> NDArray[np.float32]:
        """Bits of each value, without low bits and what follows an escape: neighbouring values have the same there."""
        half = self._tables.half
        high = values >> self._tables.shift[table].astype(np.int32)
        symbol = np.where(np.abs(high) <= half, high + half, self._tables.escape)
        return self._costs[table, symbol]


def may_be_worth(
    values: NDArray[np.floating], slices: Sequence[int], distortion_weight: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which real values (groups, rows, columns) of a stage could become tokens other than zero: those whose error would
    be worth more than FEWEST_BITS. Where no value of a slice and of all slices behind it is worth that, they are left
    zero, and the prior is not asked."""
    worth = np.empty(values.shape, bool)
    first = 0
    for groups in slices:
        weight = slice_weight(first, groups, sum(slices)) * distortion_weight
        # an error of |v| instead of |v| - 1 is worth weight * (2 |v| - 1) bits
        least = 0.5 + FEWEST_BITS / (2 * weight)
        np.greater(np.abs(values[first : first + groups]), least, out=worth[first : first + groups])
        first += groups
    return worth


def round_values(values: Numbers, table: NDArray[np.integer]) -> Int32s:
    """The nearest integers, whatever they cost."""
    return np.rint(values).astype(np.int32)
