"""The prior of vectors: bytes that give the same integers again, and little else."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.priors.channel import LEVELS, ChannelPrior, known_bytes

DIM = 12
levels = arrays(np.int16, DIM, elements=st.integers(0, LEVELS - 1))


@pytest.fixture(scope="module")
def prior() -> ChannelPrior:
    made = ChannelPrior(DIM)
    values = np.arange(LEVELS)
    made.set_frequencies(np.exp(-np.abs(values - 127) / np.linspace(1, 30, DIM)[:, None]))
    return made


@given(levels)
def test_integers_come_back_from_their_bytes(prior, row):
    data = prior.write(row)
    assert np.array_equal(prior.read(data), row)
    assert len(data) <= prior.bits(row[None]).sum() / 8 + 2


@given(st.binary(max_size=60))
def test_any_bytes_are_integers_in_range_or_refused(prior, data):
    try:
        found = prior.read(data)
    except InvalidFileError:
        return
    assert found.min() >= 0
    assert found.max() < LEVELS


def test_frequent_levels_take_few_bits(prior):
    usual, rare = np.full((1, DIM), 127), np.full((1, DIM), 3)
    assert prior.bits(usual).sum() < prior.bits(rare).sum() / 2
    assert prior.bits(rare).max() <= 16


def test_weights_that_are_none_are_refused():
    made = ChannelPrior(DIM)
    for change in (1, -(2**24)):
        weights = made.weights.clone()
        weights[0, 0] += change
        broken = ChannelPrior(DIM)
        broken.set_weights(weights)
        with pytest.raises(UsageError, match="frequency table"):
            broken.write(np.zeros(DIM, np.int16))


def test_the_known_answer_depends_on_the_tables(prior):
    assert known_bytes(prior) == known_bytes(prior) != known_bytes(ChannelPrior(DIM))
    assert torch.equal(ChannelPrior(DIM).weights, ChannelPrior(DIM).weights)
