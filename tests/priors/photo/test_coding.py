"""Coding a tile: a decoder reads what an encoder wrote."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from priors.photo.small import GROUPS, ZERO, exact_prior

from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.photo.coding import code_tile
from imgcodec.priors.photo.tables import fit_tables

TABLES = fit_tables(np.zeros((1024, 50)))
seeds = st.integers(0, 2**32 - 1)


def write(tokens, quality, prior=None):
    coders = [RangeEncoder(TABLES) for _ in tokens]
    with exact_arithmetic():
        code_tile(prior or exact_prior(), coders, [t.shape[1:] for t in tokens], quality, tokens, ZERO)
    return [coder.finish() for coder in coders]


def read(data, sizes, quality):
    with exact_arithmetic():
        return code_tile(exact_prior(), [RangeDecoder(TABLES, d) for d in data], sizes, quality, None, ZERO)


@st.composite
def tiles(draw):
    """Sizes of both stages of a tile, as a picture of any number of pixels has them, and tokens."""
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    sizes = [(-(-height // 4), -(-width // 4)), (height, width)]
    rng = np.random.default_rng(draw(seeds))
    reach = draw(st.sampled_from([0, 3, 40, ZERO]))
    tokens = [
        rng.integers(ZERO - reach, ZERO + reach + 1, (g, *s)).astype(np.int16)
        for g, s in zip(GROUPS, sizes, strict=True)
    ]
    return sizes, tokens


@settings(max_examples=30)
@given(tiles(), st.integers(0, 25600))
def test_what_is_written_comes_back(tile, quality):
    sizes, tokens = tile
    back = read(write(tokens, quality), sizes, quality)
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=True))
    assert [t.dtype for t in back] == [np.int16] * 2


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (8, 8), (9, 8), (5, 17)])
def test_awkward_sizes_come_back(size):
    rng = np.random.default_rng(5)
    sizes = [(-(-size[0] // 4), -(-size[1] // 4)), size]
    tokens = [rng.integers(ZERO - 9, ZERO + 10, (g, *s)).astype(np.int16) for g, s in zip(GROUPS, sizes, strict=True)]
    back = read(write(tokens, 12800), sizes, 12800)
    assert all(np.array_equal(a, b) for a, b in zip(tokens, back, strict=True))


def test_the_first_stage_comes_back_alone():
    sizes = [(2, 3), (7, 10)]
    rng = np.random.default_rng(6)
    tokens = [rng.integers(0, 2 * ZERO + 1, (g, *s)).astype(np.int16) for g, s in zip(GROUPS, sizes, strict=True)]
    (coarse,) = read(write(tokens, 800)[:1], sizes, 800)
    assert np.array_equal(coarse, tokens[0])


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_garbage_gives_tokens_or_an_error(first, second):
    sizes = [(1, 2), (3, 5)]
    try:
        stages = read([first, second], sizes, 12800)
    except InvalidFileError:
        return
    assert all(t.min() >= 0 and t.max() <= 2 * ZERO for t in stages)


def test_a_token_that_no_codebook_knows_is_refused():
    tokens = [np.full((g, 1, 1), ZERO, np.int16) for g in GROUPS]
    tokens[1][4] = 2 * ZERO + 1
    with exact_arithmetic():  # an encoder that is not checked
        coders = [RangeEncoder(TABLES) for _ in tokens]
        with pytest.raises(InvalidFileError, match="no codebook knows"):
            code_tile(exact_prior(), coders, [(1, 1), (1, 1)], 0, tokens, ZERO)
