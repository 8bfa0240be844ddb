"""The ideal code length of tokens: their cross-entropy under a model's frequency tables, in bits, without a coder."""

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, Int32s, Numbers, RangeCoder
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.photo.coding import code_tile
from imgcodec.profiles.photo.codec import PhotoCodec, prior_quality
from imgcodec.tokenizers.rvq import STRIDES
from imgcodec.tokens import Tokens, stage_places


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
    total = [0.0] * len(tokens.stages)
    for index in range(tokens.header.tile_count):
        places = stage_places(tokens.header.tile_rectangle(index), STRIDES)
        tile = [s[:, y, x] for s, (y, x) in zip(tokens.stages, places, strict=True)]
        coders = [CodeLengthCounter(codec.photo.tables) for _ in tile]
        with exact_arithmetic():
            zero = codec.photo.tokenizer.config.codes // 2
            code_tile(codec.photo.prior, coders, [t.shape[1:] for t in tile], prior_quality(tokens.header), tile, zero)
        total = [t + c.bits for t, c in zip(total, coders, strict=True)]
    return total
