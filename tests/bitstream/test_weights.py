"""Symbols with weights of their own: what is written comes back, and as section 4.6 of the page says."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader import nic_reader

from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import InvalidFileError, UsageError

TOTAL = 2**24
seeds = st.integers(0, 2**32 - 1)
alphabets = st.sampled_from([2, 3, 64, 255, 256, 257, 512, 1000, 4096])


def random_weights(rng, count, symbols):
    """Rows over many orders of magnitude; some have all on one symbol, some are even."""
    shares = np.exp(rng.uniform(-rng.choice([0, 5, 40], (count, 1)), 0, (count, symbols)))
    weights = np.floor(shares / shares.sum(1, keepdims=True) * (TOTAL - symbols)).astype(np.int64)
    sure = rng.random(count) < 0.1
    weights[sure] = 0
    weights[np.arange(count), rng.integers(0, symbols, count)] += TOTAL - symbols - weights.sum(1)
    return weights


def by_the_page(data, weights):
    decoder = nic_reader.RangeDecoder(data)
    return [decoder.symbol([0, *accumulate(int(w) + 1 for w in row)]) for row in weights]


@settings(max_examples=60)
@given(seeds, alphabets, st.integers(1, 30))
def test_symbols_are_decoded_to_themselves_also_by_the_independent_reader(seed, alphabet, count):
    """Symbols that are likely and such as have one part in 2**24: a count off by one would shift all that follow."""
    rng = np.random.default_rng(seed)
    weights = random_weights(rng, count, alphabet)
    likely = (weights.cumsum(1) > rng.integers(0, TOTAL - alphabet, (count, 1))).argmax(1)
    symbols = np.where(rng.random(count) < 0.5, likely, rng.integers(0, alphabet, count))
    encoder = RangeEncoder(None)
    part = int(rng.integers(0, count + 1))
    assert np.array_equal(encoder.code_weights(symbols[:part], weights[:part]), symbols[:part])
    for symbol, row in zip(symbols[part:], weights[part:], strict=True):  # one by one makes no difference
        encoder.code_weights(symbol[None], row[None])
    data = encoder.finish()
    assert by_the_page(data, weights) == symbols.tolist()
    decoder = RangeDecoder(None, data)
    read = [decoder.code_weights(None, weights[i : i + 1]) for i in range(part)]
    read.append(decoder.code_weights(None, weights[part:]))
    assert np.concatenate(read).tolist() == symbols.tolist()


@given(st.binary(max_size=40), seeds, alphabets)
def test_both_decoders_decode_garbage_to_the_same_symbols(data, seed, alphabet):
    weights = random_weights(np.random.default_rng(seed), 20, alphabet)
    try:
        expected = by_the_page(data, weights)
    except ValueError:
        with pytest.raises(InvalidFileError, match="damaged"):
            RangeDecoder(None, data).code_weights(None, weights)
    else:
        assert RangeDecoder(None, data).code_weights(None, weights).tolist() == expected


def test_both_decoders_put_every_edge_of_a_symbol_at_the_same_number():
    weights = random_weights(np.random.default_rng(1), 1, 300)
    step = (2**64 - 1) >> 24
    for edge in (weights[0] + 1).cumsum()[:-1].tolist():
        for number in (edge * step - 1, edge * step):
            data = number.to_bytes(8, "big")
            assert RangeDecoder(None, data).code_weights(None, weights).tolist() == by_the_page(data, weights)


def test_streams_are_as_long_as_their_information():
    rng = np.random.default_rng(2)
    weights = random_weights(rng, 4000, 64)
    symbols = ((weights + 1).cumsum(1) > rng.integers(0, TOTAL, (4000, 1))).argmax(1)
    bits = -np.log2((weights[np.arange(4000), symbols] + 1) / TOTAL).sum()
    encoder = RangeEncoder(None)
    encoder.code_weights(symbols, weights)
    assert bits / 8 <= len(encoder.finish()) <= bits / 8 * 1.0001 + 2


EVEN = np.full((1, 4), TOTAL // 4 - 1)


@pytest.mark.parametrize(
    ("symbols", "weights"),
    [
        ([0], EVEN + 1),
        ([0], EVEN[0]),
        ([0], EVEN[:, :1]),
        ([0], EVEN + np.array([-TOTAL, TOTAL, 0, 0])),
        ([0], EVEN + np.array([-0.5, 0.5, 0, 0])),
        ([0], EVEN * np.nan),
        ([4], EVEN),
        ([-1], EVEN),
        ([0, 0], EVEN),
    ],
)
def test_invalid_weights_and_symbols_are_refused(symbols, weights):
    encoder = RangeEncoder(None)
    with pytest.raises(UsageError, match=r"\.$"):
        encoder.code_weights(np.array(symbols), weights)
    assert encoder.finish() == b""


def test_an_encoder_without_symbols_or_tables_is_refused():
    with pytest.raises(UsageError, match="symbols"):
        RangeEncoder(None).code_weights(None, EVEN)
    with pytest.raises(UsageError, match="no frequency tables"):
        RangeEncoder(None).code(np.zeros(1, np.int32), np.zeros(1, np.int64))
    assert RangeEncoder(None).code_weights(np.zeros(0, np.int32), EVEN[:0]).shape == (0,)
