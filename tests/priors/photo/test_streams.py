"""Calls as streams: divided where they should be, and read call by call."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import calls, frequency_tables

from imgcodec.bitstream.entropy import RangeEncoder
from imgcodec.bitstream.token_sections import Part
from imgcodec.priors.photo.streams import Call, CallReader, CallRecorder, write_parts


@settings(max_examples=50)
@given(st.data(), st.integers(1, 5), st.sampled_from([0.1, 5, 40, 1e9]))
def test_what_is_written_is_read(data, first_calls, part_bytes):
    tables = data.draw(frequency_tables())
    drawn = [Call(*call) for _ in range(3) for call in data.draw(calls(tables))]
    parts = write_parts(tables, drawn, first_calls, part_bytes)
    assert [part.first for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert (parts[0].end, parts[-1].end) == (min(first_calls, len(drawn)), len(drawn))
    if part_bytes < 1:
        some = [call for call in drawn[first_calls:-1] if call.values.any()]
        assert len(parts) >= 1 + len(some)
    if part_bytes > 1e6:
        assert len(parts) == 1 + (len(drawn) > first_calls)
    reader = CallReader(tables, parts)
    for call in drawn:
        assert np.array_equal(reader.code(None, call.table), call.values)
    assert reader.code(None, np.zeros(3, int)) is None
    for count, part in enumerate(parts):
        reader = CallReader(tables, parts[:count])
        known = [reader.code(None, call.table) is not None for call in drawn]
        assert known == [number < part.first for number in range(len(drawn))]


def test_a_part_is_what_one_encoder_writes():
    from priors.photo.test_coding import TABLES

    drawn = [Call(np.arange(-5, 6, dtype=np.int32), np.full(11, 400)) for _ in range(4)]
    parts = write_parts(TABLES, drawn, 1, 1e9)
    encoder = RangeEncoder(TABLES)
    for call in drawn[1:]:
        encoder.code(call.values, call.table)
    assert parts[1] == Part(1, 4, encoder.finish())


def test_no_calls_are_one_part_of_nothing():
    from priors.photo.test_coding import TABLES

    assert write_parts(TABLES, [], 12, 100) == [Part(0, 0, b"")]


def test_a_recorder_keeps_what_is_chosen():
    recorder = CallRecorder([lambda values, table: np.rint(values).astype(np.int32), lambda values, table: values + 1])
    table = np.array([3, 4])
    assert recorder.code(np.array([0.6, -1.2]), table).tolist() == [1, -1]
    assert recorder.code(np.array([5, 6]), table).tolist() == [6, 7]
    assert [call.values.tolist() for call in recorder.calls] == [[1, -1], [6, 7]]
    with pytest.raises(StopIteration):
        recorder.code(np.array([5, 6]), table)
