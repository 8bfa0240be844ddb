"""The ideal code length of tokens: their cross-entropy under a model's frequency tables, in bits, without a coder."""

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, Int32s, Numbers, RangeCoder
from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.tokens import Tokens


class CodeLengthCounter(RangeCoder):
    """A coder that writes nothing and adds up `bits`: -log2 of every probability, and all plain bits."""

    def __init__(self, tables: FrequencyTables) -> None:
        super().__init__(tables)
        self.bits = 0.0
        self._costs = -np.log2((tables.weights.astype(np.float64) + 1) / TOTAL)

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Returns the values, and adds their cost to `bits`."""
        assert values is not None
        return self._code_values(values.astype(np.int32), table)

    def _symbols(self, symbols: Int32s, counts: NDArray[np.integer]) -> Int32s:
        self.bits += float(self._costs[np.arange(len(counts)).repeat(counts), symbols].sum())
        return symbols

    def _bits(self, values: NDArray[np.integer], widths: NDArray[np.integer]) -> Int32s:
        self.bits += float(widths.sum())
        return (values & ((1 << widths.astype(np.int64)) - 1)).astype(np.int32)

    def _pass(self, symbols: Int32s, model: object, *sizes: Int32s) -> Int32s:
        raise AssertionError("There is no coder to pass symbols to.")


def stage_bits(codec: PhotoCodec, tokens: Tokens) -> list[float]:
    """The ideal code length of each stage's tokens, in bits."""
    bits = [0.0, 0.0]
    places = codec.coder.call_places(tokens.header)
    for _, calls in codec.coder.record(tokens):
        for place, call in zip(places, calls, strict=False):
            counter = CodeLengthCounter(codec.photo.tables)
            counter.code(call.values, call.table)
            bits[place.stage] += counter.bits
    return bits
