"""Tokens to bytes and back with the raster priors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from priors.raster.small import NAMES, exact_prior, random_tokens, sizes_of

from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.raster.coding import code_tiles
from imgcodec.priors.raster.logits import weights_of
from imgcodec.priors.raster.protocol import to_digits

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 6)


def write(prior, tokens):
    coders = [[RangeEncoder(None) for _ in tokens] for _ in tokens[0]]
    with exact_arithmetic():
        back = code_tiles(prior, coders, [t.shape[1:] for t in tokens], tokens, prior.codebook_size)
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=True))
    return [[coder.finish() for coder in tile] for tile in coders]


def read(prior, data, sizes):
    with exact_arithmetic():
        return code_tiles(
            prior, [[RangeDecoder(None, d) for d in tile] for tile in data], sizes, None, prior.codebook_size
        )


def tiles(prior, batch, rows, columns, seed):
    return [t.numpy() for t in random_tokens(prior, batch, sizes_of(prior, rows, columns), seed)]


@settings(max_examples=30)
@given(st.sampled_from(NAMES), st.integers(1, 3), sides, sides, seeds)
def test_what_is_written_comes_back(name, batch, rows, columns, seed):
    prior = exact_prior(name)
    tokens = tiles(prior, batch, rows, columns, seed)
    back = read(prior, write(prior, tokens), [t.shape[1:] for t in tokens])
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=True))
    assert all(t.dtype == np.int32 for t in back)


@pytest.mark.parametrize("name", NAMES)
def test_a_tile_alone_is_coded_as_in_a_batch(name):
    prior = exact_prior(name)
    tokens = tiles(prior, 3, 9, 9, 3)
    assert write(prior, tokens)[1:2] == write(prior, [t[1:2] for t in tokens])


def test_the_first_stages_come_back_alone():
    prior = exact_prior("stages")
    tokens = tiles(prior, 2, 9, 9, 3)
    data = [tile[:2] for tile in write(prior, tokens)]
    back = read(prior, data, [t.shape[1:] for t in tokens])
    assert len(back) == 2
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=False))


@settings(max_examples=30)
@given(st.sampled_from(NAMES), seeds, st.integers(0, 2**16), st.integers(1, 255))
def test_a_damaged_stream_gives_other_tokens_or_an_error(name, seed, at, flips):
    prior = exact_prior(name)
    tokens = tiles(prior, 1, 3, 2, seed)
    data = write(prior, tokens)
    stream = bytearray(data[0][0] or b"\0")
    stream[at % len(stream)] ^= flips
    data[0][0] = bytes(stream)
    try:
        back = read(prior, data, [t.shape[1:] for t in tokens])
    except InvalidFileError:
        return
    assert all(t.min() >= 0 and t.max() < prior.codebook_size for t in back)


def test_a_token_that_no_codebook_knows_is_refused():
    prior = exact_prior("raster")  # 300 codes, digits for 320
    tokens = [np.full((1, 1, 1), 310)]
    with exact_arithmetic(), pytest.raises(InvalidFileError, match="no codebook knows"):
        code_tiles(prior, [[RangeEncoder(None)]], [(1, 1)], tokens, 300)

    class Done(Exception):
        pass

    def code(at, numbers):  # an encoder without checks
        digit = to_digits(torch.tensor([310]), prior.digits)[:, at.digit]
        coder.code_weights(digit.numpy(), weights_of(numbers.long().numpy()))
        if at.digit == 1:
            raise Done
        return digit

    coder = RangeEncoder(None)
    with exact_arithmetic(), pytest.raises(Done):
        prior.step_through(1, [(1, 1)], code)
    with pytest.raises(InvalidFileError, match="no codebook knows"):
        read(prior, [[coder.finish()]], [(1, 1)])
