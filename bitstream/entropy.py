"""Integers to bytes and back: a range coder under frozen frequency tables.

               tables[table] ──► probabilities
                                      │
    values ──► high part ──► symbol ──┴──► range coder ──► bytes
         │                      └ escape ──► exponent, tail ──┤
         └───► low bits ──────────────────────────────────────┘

One method, `RangeCoder._code_values`, goes through the values in both directions: an encoder's passes send the symbols
they are given, a decoder's ignore them and return what was sent, and everything after a pass uses what it returned. So
the two cannot drift apart. The arithmetic is `constriction`'s (words of 32 bits, a state of 64, probabilities of 24);
there is one call per table and none per symbol. `docs/format.md` specifies all of it without reference to a library.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import InvalidFileError, UsageError

TOTAL = 2**24
MAX_SHIFT = 16
MAX_TABLES = 2**16
INT32 = np.iinfo(np.int32)

# The distribution of bits that no table describes: 2**k equally likely symbols for k of them.
UNIFORM = constriction.stream.model.Uniform()
# A distribution per symbol, by a row of weights (see FrequencyTables.model for why nothing is rounded).
WEIGHTED = constriction.stream.model.Categorical(perfect=False)
EXPONENT_BITS = 5
CHUNK_BITS = 16

Int32s = NDArray[np.int32]
Numbers = NDArray[np.integer] | NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class FrequencyTables:
    """Distributions of values, each of which is split into a symbol and low bits.

    weights: uint32 (T, A), A = 2 * half + 2; a row sums to 2**24 - A, and symbol i of it has the probability
        (weights[i] + 1) / 2**24. Symbol i < A - 1 is the high part i - half; symbol A - 1 is the escape.
    shift: uint8 (T,), 0 .. 16. A value's high part is `value >> shift`; its `shift` low bits are sent as bits.

    Raises UsageError for anything else.
    """

    weights: NDArray[np.uint32]
    shift: NDArray[np.uint8]
    _models: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.weights.dtype != np.uint32 or self.weights.ndim != 2:
            raise UsageError("The weights of frequency tables must be a uint32 array of two dimensions.")
        tables, symbols = self.weights.shape
        if not 1 <= tables <= MAX_TABLES:
            raise UsageError(f"There are {tables} frequency tables, and 1 to {MAX_TABLES} can be used.")
        if symbols % 2 or not 2 <= symbols <= MAX_TABLES:
            raise UsageError(f"A frequency table has {symbols} symbols, and it takes an even number from 2 to 65536.")
        if (self.weights.sum(axis=1, dtype=np.uint64) != TOTAL - symbols).any():
            raise UsageError(f"The weights of a frequency table do not sum to 2**24 - {symbols}.")
        if self.shift.dtype != np.uint8 or self.shift.shape != (tables,):
            raise UsageError("The shifts of frequency tables must be a uint8 array with one for each table.")
        # So that no value of a symbol leaves int32: half <= 2**15 - 1, times 2**16.
        if self.shift.max() > MAX_SHIFT:
            raise UsageError(f"The shift of a frequency table is over {MAX_SHIFT}.")

    @property
    def half(self) -> int:
        """The largest magnitude of a high part that needs no escape."""
        return self.weights.shape[1] // 2 - 1

    @property
    def escape(self) -> int:
        """The last symbol: the high part is beyond `half`, and follows."""
        return self.weights.shape[1] - 1

    def model(self, table: int) -> Any:
        """`constriction`'s model of a table, made once.

        `constriction` turns weights w of sum S into counts by cutting `cumulative(w) * ((2**24 - A) / S)` to integers
        and adding one to each symbol. S is 2**24 - A here, so the factor is exactly 1, every float64 is an integer, and
        the counts are w + 1: nothing is rounded.
        """
        if table not in self._models:
            weights = self.weights[table].astype(np.float64)
            self._models[table] = constriction.stream.model.Categorical(weights, perfect=False)
        return self._models[table]


def complete_weights(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers (n, V) from 0 whose rows sum to at most 2**24 - V -> the same array, with what is missing from that
    sum added to the first of the largest weights of each row."""
    missing = TOTAL - weights.shape[1] - weights.sum(1)
    weights[np.arange(len(weights)), weights.argmax(1)] += missing
    return weights


class RangeCoder(ABC):
    """The part that encoder and decoder share: the order in which everything is sent.

    tables: for `code`; None where only `code_weights` is used.
    """

    def __init__(self, tables: FrequencyTables | None) -> None:
        self._tables = tables

    @property
    def tables(self) -> FrequencyTables:
        """The frequency tables. Raises UsageError where there are none."""
        if self._tables is None:
            raise UsageError("The coder has no frequency tables.")
        return self._tables

    @abstractmethod
    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Writes the values (n,) in an encoder; reads them in a decoder, which is given None. Returns them.

        Value i has the distribution `table[i]`. Raises UsageError for a table that does not exist.
        """

    def code_weights(self, symbols: NDArray[np.integer] | None, weights: NDArray[np.number]) -> Int32s:
        """As `code`, for symbols (n,) that have weights of their own.

        weights: (n, V), V from 2 to 65536, whole numbers from 0 that sum to 2**24 - V in each row; symbol i has the
        probability (weight + 1) / 2**24. Raises UsageError for others; InvalidFileError as `code`.
        """
        rows = np.ascontiguousarray(weights, np.float64)
        if rows.ndim != 2 or not 2 <= rows.shape[1] <= MAX_TABLES:
            raise UsageError("There must be a row of 2 to 65536 weights for each symbol.")
        if (rows.sum(1) != TOTAL - rows.shape[1]).any() or (rows < 0).any() or (rows != np.floor(rows)).any():
            raise UsageError(f"Weights of symbols must be whole numbers that sum to 2**24 - {rows.shape[1]}.")
        if symbols is None:
            symbols = np.zeros(len(rows), np.int32)
        if symbols.shape != rows.shape[:1] or ((symbols < 0) | (symbols >= rows.shape[1])).any():
            raise UsageError("A symbol is none of those that there are weights for.")
        return self._pass(symbols.astype(np.int32), WEIGHTED, rows) if len(rows) else symbols.astype(np.int32)

    @abstractmethod
    def _pass(self, symbols: Int32s, model: Any, *parameters: NDArray[Any]) -> Int32s:
        """Sends the symbols and returns them; a decoder ignores all but their number, and returns those it reads."""

    def _code_values(self, values: Int32s, table: NDArray[np.integer]) -> Int32s:
        """Codes the values (n,) with their tables (n,). A decoder ignores `values` but for their shape."""
        tables, half = self.tables, self.tables.half
        if not (table.ndim == 1 and table.shape == values.shape and np.issubdtype(table.dtype, np.integer)):
            raise UsageError("Values and the numbers of their tables must be integer arrays of one length.")
        if not table.size:
            return values
        if table.min() < 0 or table.max() >= len(tables.shift):
            raise UsageError(f"There are frequency tables 0 to {len(tables.shift) - 1}, and another was asked for.")

        table = table.astype(np.uint8 if len(tables.shift) <= 2**8 else np.uint16)  # which makes the sort a radix sort
        order, counts = np.argsort(table, kind="stable"), np.bincount(table, minlength=len(tables.shift))
        value = values[order]
        shift = np.repeat(tables.shift.astype(np.int32), counts)
        high = value >> shift
        inside = (high >= -half) & (high <= half)

        symbol = np.where(inside, high + half, tables.escape).astype(np.int32)
        symbol = self._symbols(symbol, counts)
        low = self._bits(value, shift)
        value = ((symbol - half) << shift) + low
        escaped = np.flatnonzero(symbol == tables.escape)
        if escaped.size:
            far = (self._escapes(high[escaped].astype(np.int64)) << shift[escaped]) + low[escaped]
            if far.min() < INT32.min or far.max() > INT32.max:
                raise InvalidFileError("The tokens are damaged: a value is larger than any that can be written.")
            value[escaped] = far

        result = np.empty_like(value)
        result[order] = value
        return result

    def _symbols(self, symbols: Int32s, counts: NDArray[np.integer]) -> Int32s:
        """Codes symbols that are sorted by table, `counts[t]` of table t: one pass per table that has any."""
        result, model = np.empty_like(symbols), self.tables.model
        used = np.flatnonzero(counts)
        start = 0
        for table, end in zip(used.tolist(), np.cumsum(counts[used]).tolist(), strict=True):
            result[start:end] = self._pass(symbols[start:end], model(table))
            start = end
        return result

    def _bits(self, values: NDArray[np.integer], widths: NDArray[np.integer]) -> Int32s:
        """Codes the lowest `widths[i]` bits, 0 .. 16, of `values[i]`: one pass over those that have any."""
        bits = np.zeros(len(widths), np.int32)
        sent = np.flatnonzero(widths)
        if sent.size:
            sizes = (1 << widths[sent]).astype(np.int32)
            bits[sent] = self._pass((values[sent] & (sizes - 1)).astype(np.int32), UNIFORM, sizes)
        return bits

    def _escapes(self, high: NDArray[np.int64]) -> NDArray[np.int64]:
        """Codes high parts beyond `half` as Elias-gamma numbers: five bits of exponent, then as many bits as it says.

        The number joins sign and distance: 2 * (abs(high) - half), less one for a negative high part. So it is at
        least 1, and below 2**32 for all of int32.
        """
        number = 2 * (np.abs(high) - self.tables.half) - (high < 0)
        exponent = np.frexp(number.astype(np.float64))[1] - 1
        exponent = self._bits(exponent, np.full(len(number), EXPONENT_BITS)).astype(np.int64)
        lower = self._bits(number, np.minimum(exponent, CHUNK_BITS)).astype(np.int64)
        upper = self._bits(number >> CHUNK_BITS, np.maximum(exponent - CHUNK_BITS, 0)).astype(np.int64)
        number = (1 << exponent) + (upper << CHUNK_BITS) + lower
        distance = self.tables.half + ((number + 1) >> 1)
        return np.where(number & 1, -distance, distance)


class RangeEncoder(RangeCoder):
    """Writes values with `code` and `code_weights`, as often as needed; `finish` gives the bytes of all of them."""

    def __init__(self, tables: FrequencyTables | None) -> None:
        super().__init__(tables)
        self._coder = constriction.stream.queue.RangeEncoder()

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Writes `values`, any whole numbers of the int32 range, and returns them. Raises UsageError for others."""
        if values is None:
            raise UsageError("An encoder needs values.")
        sent = values.astype(np.int32)
        if not np.array_equal(sent, values):
            raise UsageError("Only values in the range of int32 can be written.")
        return self._code_values(sent, table)

    def code_weights(self, symbols: NDArray[np.integer] | None, weights: NDArray[np.number]) -> Int32s:
        """Writes `symbols` and returns them. Raises UsageError for symbols that there are no weights for."""
        if symbols is None:
            raise UsageError("An encoder needs symbols.")
        return super().code_weights(symbols, weights)

    @property
    def size(self) -> int:
        """Bytes of what was written so far, to within 8."""
        position, _ = self._coder.pos()
        return 4 * int(position)

    def finish(self) -> bytes:
        """The fewest bytes from which a decoder reads everything that was written; there may be none.

        The bytes are a number in base 256, followed by zeros without end. Any number in the coder's last interval
        decodes, so take the one that ends in the most zeros. `constriction` seals with a number of its own, which is
        longer because it leaves room for any continuation; that number and the coder's state give the interval.
        """
        words = self._coder.get_compressed()
        position, (lower, width) = self._coder.pos()
        digits = 4 * (position + 2)
        sealed = int.from_bytes(words.astype(">u4").tobytes().ljust(digits, b"\0"), "big")
        low = sealed - (sealed - lower) % 2**64
        # No need to look for more than 8 zeros: at most one multiple of 256**8 fits the interval.
        for zeros in range(8, -1, -1):
            number = -(-low >> 8 * zeros) << 8 * zeros
            if number < low + width:
                break
        return number.to_bytes(digits, "big").rstrip(b"\0")

    def _pass(self, symbols: Int32s, model: Any, *parameters: NDArray[Any]) -> Int32s:
        self._coder.encode(symbols, model, *parameters)
        return symbols


class RangeDecoder(RangeCoder):
    """Reads the values that an encoder wrote, from its bytes, by the same calls with None for the values."""

    def __init__(self, tables: FrequencyTables | None, data: bytes) -> None:
        super().__init__(tables)
        words = np.frombuffer(data.ljust(-(-len(data) // 4) * 4, b"\0"), ">u4")
        self._coder = constriction.stream.queue.RangeDecoder(words.astype(np.uint32))

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """The values that were written with `table`; the argument `values` is ignored.

        Bytes that no encoder wrote give other values or InvalidFileError, in the same time and memory.
        """
        return self._code_values(np.zeros(table.shape, np.int32), table)

    def _pass(self, symbols: Int32s, model: Any, *parameters: NDArray[Any]) -> Int32s:
        try:
            received: Int32s = self._coder.decode(model, *(parameters or (len(symbols),)))
        except AssertionError:  # so constriction refuses a number that no encoder writes
            raise InvalidFileError("The tokens are damaged: no range coder writes such bytes.") from None
        return received
