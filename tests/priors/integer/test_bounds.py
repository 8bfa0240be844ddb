"""Bounds are those of sums in Python's integers, and what could be inexact is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.priors.integer.bounds import (
    check_attention,
    check_fractions,
    check_total,
    product_bound,
    rows_bound,
    score_shift,
)
from imgcodec.priors.integer.constants import LIMIT, BoundError

WEIGHTS = st.lists(st.integers(-127, 127), min_size=3, max_size=3)


@given(WEIGHTS, st.integers(-1000, 1000), st.integers(-4, 24), st.sampled_from([127, 255]))
def test_no_operands_give_more_than_the_bound(weights, bias, shift, largest):
    weight = np.array(weights, np.int8).reshape(1, 3, 1, 1)
    bound = product_bound(weight, np.array([bias]), np.array([shift]), largest)
    most = (sum(abs(w) for w in weights) * largest + abs(bias)) * 2.0**-shift
    assert most <= bound < most + 1


@pytest.mark.parametrize(
    ("weight", "bias", "shift", "words"),
    [
        (0.5, 0, 0, "must be integers"),
        (1, float("nan"), 0, "must be integers"),
        (-128, 0, 0, "out of range"),
        (1, 0, 25, "out of range"),
        (1, LIMIT - 127, 0, "not exact"),
        (1, 0, -24, "not exact"),
    ],
)
def test_products_that_could_be_inexact_are_refused(weight, bias, shift, words):
    with pytest.raises(BoundError, match=words):
        product_bound(np.array([[weight]]), np.array([bias]), np.array([shift]), 127)
    assert product_bound(np.array([[1]]), np.array([LIMIT - 128]), np.array([0]), 127) == LIMIT - 1


@pytest.mark.parametrize("fraction", [9, -9, 1.0, True, None, "1"])
def test_units_out_of_range_are_refused(fraction):
    check_fractions(-8, 8)
    with pytest.raises(BoundError):
        check_fractions(0, fraction)


def test_attention_is_bounded_by_channels_window_and_position():
    position = np.full((2, 9), 2048)
    check_attention(1000, 22, position, (1, 0, 0))
    for channels, window, biases, fractions in (
        (1041, 22, position, (8, 8, 8)),
        (1000, 23, position, (8, 8, 8)),
        (1000, 22, position + 1, (8, 8, 8)),
        (1000, 22, position + 0.5, (8, 8, 8)),
        (1000, 22, position, (-8, -8, 0)),
    ):
        with pytest.raises(BoundError):
            check_attention(channels, window, biases, fractions)
    assert score_shift((3, 4, 0)) == 6


def test_rows_and_totals_stay_below_the_limit():
    assert rows_bound(np.array([[3, 1 - LIMIT]])) == LIMIT - 1
    with pytest.raises(BoundError):
        rows_bound(np.array([[LIMIT]]))
    with pytest.raises(BoundError):
        rows_bound(np.array([[0.5]]))
    check_total(LIMIT - 1)
    with pytest.raises(BoundError):
        check_total(LIMIT)
