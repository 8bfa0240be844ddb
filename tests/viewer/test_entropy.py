"""The viewer's range decoder reads what the program's range coder writes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, RangeEncoder, complete_weights


def request(tables: FrequencyTables, calls: list[tuple[list[int], list[int]]]) -> bytes:
    encoder = RangeEncoder(tables)
    for values, table in calls:
        encoder.code(np.array(values, np.int32), np.array(table, np.int32))
    head = {
        "weights": tables.weights.tolist(),
        "shift": tables.shift.tolist(),
        "tables": [table for _, table in calls],
    }
    return json.dumps(head).encode() + b"\n" + encoder.finish()


def stream(random: np.random.Generator) -> tuple[FrequencyTables, list[tuple[list[int], list[int]]]]:
    """Tables of any shape, some of them with nearly all weight on one symbol, and calls of values of all sizes."""
    count, symbols = random.integers(1, 20), 2 * random.integers(1, 32)
    weights = random.random((count, symbols)) ** random.choice((0.1, 1, 20, 400)) + 1e-30
    whole = np.floor(weights / weights.sum(1, keepdims=True) * (TOTAL - symbols)).astype(np.int64)
    tables = FrequencyTables(complete_weights(whole).astype(np.uint32), random.integers(0, 17, count).astype(np.uint8))
    calls = []
    for size in random.integers(0, 200, random.integers(1, 5)):
        magnitude = 2.0 ** random.uniform(0, 31, size)
        values = np.clip(random.choice((-1, 1), size) * magnitude, -(2**31), 2**31 - 1).astype(np.int64)
        calls.append((values.tolist(), random.integers(0, count, size).tolist()))
    return tables, calls


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_values_come_back(ask, seed):
    random = np.random.default_rng(seed)
    made = [stream(random) for _ in range(100)]
    *answers, _ = ask("calls", [request(*each) for each in made])
    assert answers == [[values for values, _ in calls] for _, calls in made]


def test_the_example_of_the_page(ask):
    """Section 4.5 of docs/format.md."""
    head = {
        "weights": [[4194303, 8388607, 3145727, 1048575], [1048575, 13631487, 1048575, 1048575]],
        "shift": [0, 2],
        "tables": [[1, 0, 0, 0, 0, 1]],
    }
    *answers, _ = ask("calls", [json.dumps(head).encode() + b"\n" + bytes.fromhex("B6F537")])
    assert answers == [[[3, 0, 1, -9, 0, -1]]]


@pytest.mark.parametrize("data", [b"\xff" * 8, b"\xff" * 40])
def test_what_no_encoder_writes_is_refused(ask, data):
    head = {"weights": [[4194303, 8388607, 3145727, 1048575]], "shift": [0], "tables": [[0] * 50]}
    *answers, _ = ask("calls", [json.dumps(head).encode() + b"\n" + data])
    assert "damaged" in answers[0]["error"]


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32))
def test_streams_are_those_of_the_program(ask, seed):
    """Byte for byte, down to how they are sealed."""
    random = np.random.default_rng(seed)
    made = [stream(random) for _ in range(100)]
    requests = [
        json.dumps({"weights": tables.weights.tolist(), "shift": tables.shift.tolist(), "calls": calls}).encode()
        for tables, calls in made
    ]
    *answers, _ = ask("streams", requests)
    expected = [request(*each).partition(b"\n")[2].hex() for each in made]
    assert answers == expected
