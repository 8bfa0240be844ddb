"""The range coder: what is written comes back, in the fewest bytes, and the page's own decoder reads the same."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reader import nic_reader
from strategies import TOTAL, calls, frequency_tables

from imgcodec.bitstream.entropy import FrequencyTables, RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import InvalidFileError, UsageError

PAGE_TABLES = FrequencyTables(
    np.array([[4194303, 8388607, 3145727, 1048575], [1048575, 13631487, 1048575, 1048575]], np.uint32),
    np.array([0, 2], np.uint8),
)
# Two symbols, equally likely, and no low bits: a symbol is a bit (and symbol 1 the escape, so values are 0 or far).
COIN = FrequencyTables(np.full((1, 2), TOTAL // 2 - 1, np.uint32), np.zeros(1, np.uint8))


def encode(tables, drawn):
    encoder = RangeEncoder(tables)
    for values, table in drawn:
        assert np.array_equal(encoder.code(values, table), values)
    return encoder.finish()


def decode(tables, data, table_lists):
    decoder = RangeDecoder(tables, data)
    return [decoder.code(None, table) for table in table_lists]


def decode_by_the_page(tables, data, table_lists):
    decoder = nic_reader.RangeDecoder(data)
    cumulative = [nic_reader.cumulative_counts(row) for row in tables.weights.tolist()]
    return [nic_reader.read_call(decoder, cumulative, tables.shift.tolist(), table.tolist()) for table in table_lists]


def tables_and_calls():
    return frequency_tables().flatmap(lambda tables: st.tuples(st.just(tables), calls(tables)))


@given(tables_and_calls())
def test_values_are_decoded_to_themselves_also_by_the_independent_reader(drawn):
    tables, written = drawn
    data = encode(tables, written)
    table_lists = [table for _, table in written]
    values = [call.tolist() for call, _ in written]
    assert [call.tolist() for call in decode(tables, data, table_lists)] == values
    assert decode_by_the_page(tables, data, table_lists) == values


def random_tables(rng, tables, symbols):
    """Weights over many orders of magnitude, zeros among them, and some tables with everything on one symbol."""
    weights = np.zeros((tables, symbols), np.int64)
    for row in weights:
        shares = np.exp(rng.uniform(-40, 0, symbols))
        row[:] = shares / shares.sum() * (TOTAL - symbols)
        row[rng.integers(symbols)] += TOTAL - symbols - row.sum()
    weights[::10] = 0
    weights[::10, rng.integers(symbols)] = TOTAL - symbols
    return FrequencyTables(weights.astype(np.uint32), rng.integers(0, 4, tables).astype(np.uint8))


@pytest.mark.parametrize("symbols", [2, 4, 64, 256, 1000])
def test_counts_are_weights_plus_one_to_the_bit(symbols):
    """Every symbol of many tables, also those of one in 2**24: a count off by one would shift all that follow."""
    rng = np.random.default_rng(symbols)
    tables = random_tables(rng, 40, symbols)
    table = rng.integers(0, 40, 4000)
    values = rng.integers(-symbols, symbols, 4000, dtype=np.int32) << tables.shift[table]
    data = encode(tables, [(values, table)])
    assert decode_by_the_page(tables, data, [table]) == [values.tolist()]
    assert np.array_equal(decode(tables, data, [table])[0], values)


def test_both_decoders_put_every_edge_of_a_quantile_at_the_same_number():
    """Streams that begin exactly at a cumulative count, and one below: the two decoders must part at the same place."""
    tables = random_tables(np.random.default_rng(7), 1, 64)
    tables.shift[:] = 0
    step = (2**64 - 1) >> 24
    for edge in np.cumsum(tables.weights[0].astype(np.int64) + 1)[:-2].tolist():
        for number in (edge * step - 1, edge * step):
            data = number.to_bytes(8, "big")
            table = [np.zeros(1, np.int64)]
            assert decode(tables, data, table)[0].tolist() == decode_by_the_page(tables, data, table)[0]


def encode_by_the_page(steps):
    """Section 4.1, the encoder, with an unlimited integer and the sealing as it stands there."""
    low, size, digits = 0, 2**64 - 1, 8
    for start, count in steps:
        step = size >> 24
        low, size = low + step * start, step * count
        if size < 2**32:
            low, size, digits = low << 32, size << 32, digits + 4
    zeros = digits
    while (number := -(-low // 256**zeros) * 256**zeros) >= low + size:
        zeros -= 1
    return number.to_bytes(digits, "big").rstrip(b"\0")


@given(st.lists(st.integers(0, 2), max_size=200), frequency_tables())
def test_an_encoder_written_from_the_specification_gives_the_same_bytes(symbols, tables):
    half = tables.half
    tables.shift[:] = 0
    symbols = [min(symbol, 2 * half) for symbol in symbols]
    cumulative = nic_reader.cumulative_counts(tables.weights[0].tolist())
    expected = encode_by_the_page([(cumulative[s], cumulative[s + 1] - cumulative[s]) for s in symbols])
    values = np.array(symbols, np.int32) - half
    assert encode(tables, [(values, np.zeros(len(values), np.int64))]) == expected


runs = st.lists(st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\x7f", b"\x80", b"\1", b"\0", b"\xff"]), max_size=12)


@given(st.one_of(st.binary(max_size=40), runs.map(b"".join)), frequency_tables(), st.integers(0, 60))
@example(b"\x7f" + b"\xff" * 30, COIN, 60)
@example(b"\x80" + b"\0" * 30 + b"\1", COIN, 60)
def test_no_shorter_stream_decodes_to_the_same_values(data, tables, count):
    """Whatever bytes decode to some values, the encoder needs no more for them: sealing and carries are right."""
    table = np.arange(count) % len(tables.shift)
    try:
        values = decode(tables, data, [table])[0]
    except InvalidFileError:
        return
    ours = encode(tables, [(values, table)])
    assert len(ours) <= len(data.rstrip(b"\0"))
    assert np.array_equal(decode(tables, ours, [table])[0], values)


def test_streams_are_as_long_as_their_information():
    rng = np.random.default_rng(3)
    tables = random_tables(rng, 20, 64)
    tables.shift[:] = 0
    table = rng.integers(0, 20, 20000)
    chances = (tables.weights + 1.0) / TOTAL
    symbols = np.array([rng.choice(63, p=row[:63] / row[:63].sum()) for row in chances[table]])
    bits = -np.log2(chances[table, symbols]).sum()
    size = len(encode(tables, [(symbols.astype(np.int32) - tables.half, table)]))
    assert bits / 8 <= size <= bits / 8 * 1.0001 + 2


def test_the_example_in_the_specification_is_what_is_written():
    values, table = np.array([3, 0, 1, -9, 0, -1]), np.array([1, 0, 0, 0, 0, 1])
    data = encode(PAGE_TABLES, [(values, table)])
    assert data == bytes.fromhex("b6f537")
    assert decode_by_the_page(PAGE_TABLES, data, [table]) == [values.tolist()]


def test_no_values_and_certain_values_take_no_bytes():
    nothing = np.zeros(0, np.int32), np.zeros(0, np.int64)
    assert encode(PAGE_TABLES, []) == encode(PAGE_TABLES, [nothing]) == b""
    assert decode(PAGE_TABLES, b"", [nothing[1]])[0].shape == (0,)
    # A certain symbol costs one part in 2**24 of eight bits or so.
    sure = FrequencyTables(np.array([[TOTAL - 4, 0, 0, 0]], np.uint32), np.zeros(1, np.uint8))
    assert encode(sure, [(np.full(1000, -1), np.zeros(1000, np.int64))]) == b""


@pytest.mark.parametrize("value", [-(2**31), 2**31 - 1, -(2**31) + 1, -(2**16) - 1, 2**16 + 1, -2, 2])
@pytest.mark.parametrize("shift", [0, 1, 16])
def test_escapes_reach_all_of_int32(value, shift):
    tables = FrequencyTables(COIN.weights, np.array([shift], np.uint8))
    table = np.zeros(3, np.int64)
    values = np.array([value, 0, value], np.int32)
    data = encode(tables, [(values, table)])
    assert np.array_equal(decode(tables, data, [table])[0], values)
    assert decode_by_the_page(tables, data, [table]) == [values.tolist()]


@given(st.binary(max_size=60), frequency_tables(), st.integers(1, 100))
@example(b"\xff" * 8, COIN, 1)
@example(b"\xff" * 60, COIN, 100)
def test_both_decoders_decode_garbage_to_the_same_values(data, tables, count):
    table = [np.arange(count) % len(tables.shift)]
    try:
        expected = decode_by_the_page(tables, data, table)[0]
    except ValueError:
        with pytest.raises(InvalidFileError, match="damaged"):
            decode(tables, data, table)
    else:
        assert decode(tables, data, table)[0].tolist() == expected


def test_a_stream_of_single_bits_is_their_binary_fraction():
    """The distribution of w bits is exact, so a stream of bits alone is the bits, but for the interval's open end."""
    reader = nic_reader.RangeDecoder(bytes.fromhex("b6f537"))
    number = Fraction(0)
    for index in range(24):
        number += Fraction(reader.bits(1), 2 ** (index + 1))
    assert abs(number - Fraction(0xB6F537, 2**24)) <= Fraction(1, 2**23)


@pytest.mark.parametrize(
    ("weights", "shift"),
    [
        (np.full((1, 2), TOTAL // 2, np.uint32), np.zeros(1, np.uint8)),
        (np.full((1, 2), TOTAL // 2 - 1, np.int64), np.zeros(1, np.uint8)),
        (np.full((1, 4), TOTAL // 4 - 1, np.uint32)[:, :3], np.zeros(1, np.uint8)),
        (np.zeros((0, 2), np.uint32), np.zeros(0, np.uint8)),
        (COIN.weights[0], np.zeros(1, np.uint8)),
        (COIN.weights, np.zeros(2, np.uint8)),
        (COIN.weights, np.zeros(1, np.int64)),
        (COIN.weights, np.full(1, 17, np.uint8)),
        # A sum that is right in 32 bits only.
        (np.array([[2**31, 2**31, TOTAL - 4, 0]], np.uint32), np.zeros(1, np.uint8)),
    ],
)
def test_tables_that_the_format_does_not_have_are_refused(weights, shift):
    with pytest.raises(UsageError, match=r"\.$"):
        FrequencyTables(weights, shift)


def test_values_and_tables_that_do_not_fit_are_refused():
    encoder = RangeEncoder(COIN)
    zeros = np.zeros(3, np.int64)
    for values, table in (
        (None, zeros),
        (zeros, zeros + 1),
        (zeros, zeros - 1),
        (zeros, zeros[:2]),
        (zeros, zeros.astype(np.float64)),
        (zeros + 2**31, zeros),
        (zeros + 0.5, zeros),
    ):
        with pytest.raises(UsageError):
            encoder.code(values, table)
    assert encoder.finish() == b""
    with pytest.raises(UsageError):
        RangeDecoder(COIN, b"").code(None, zeros + 1)
