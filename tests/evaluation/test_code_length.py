"""Code lengths: what the range coder takes, to a few bits, without one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import calls, frequency_tables

from imgcodec.bitstream import container
from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, RangeEncoder
from imgcodec.codec import read_tokens
from imgcodec.evaluation.code_length import CodeLengthCounter, stage_bits

GOLDEN = Path(__file__).parents[1] / "golden"

HALVES = FrequencyTables(
    np.array([[TOTAL // 2 - 1, TOTAL // 4 - 1, TOTAL // 8 - 1, TOTAL // 8 - 1]], np.uint32), np.array([2], np.uint8)
)


@pytest.mark.parametrize(("value", "bits"), [(-4, 1), (-1, 1), (0, 2), (5, 3), (9, 3 + 5 + 1), (-12, 3 + 5 + 1)])
def test_symbols_low_bits_and_escapes_are_counted(value, bits):
    """There are four values to a symbol; beyond -4..7 there is an escape, then five bits of exponent and a number."""
    counter = CodeLengthCounter(HALVES)
    assert counter.code(np.array([value]), np.array([0])).tolist() == [value]
    assert counter.bits == pytest.approx(2 + bits)


@given(st.data())
def test_it_is_what_the_coder_writes(data):
    tables = data.draw(frequency_tables())
    counter, encoder = CodeLengthCounter(tables), RangeEncoder(tables)
    for values, table in data.draw(calls(tables)):
        assert np.array_equal(counter.code(values, table), values)
        encoder.code(values, table)
    assert 8 * len(encoder.finish()) == pytest.approx(counter.bits, rel=1e-3, abs=64)


@pytest.mark.parametrize("name", ["random-tokens", "two-tiles", "highest"])
def test_stages_have_the_length_of_their_sections(tiny_codec, name):
    file = container.read((GOLDEN / f"{name}.nic").read_bytes())
    lengths = stage_bits(tiny_codec, read_tokens(tiny_codec, file))
    tiles = file.header.tile_count
    for stage, bits in enumerate(lengths):
        written = sum(8 * len(tile.parts[stage].data) for tile in file.tokens())
        assert written == pytest.approx(bits, abs=64 * tiles)
    assert sum(lengths) > 10 * 64 * tiles
