"""Frequency tables: parameters choose the right one, and its symbols cost what they should."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imgcodec.bitstream.entropy import TOTAL, RangeDecoder, RangeEncoder
from imgcodec.priors.photo import tables
from imgcodec.priors.photo.rate import logistic_bits
from imgcodec.priors.photo.tables import (
    HALF,
    SCALES,
    UNIT,
    centre_and_table,
    fit_tables,
    integer_weights,
    logistic_tables,
    stored_tables,
)

SYMBOLS = 2 * HALF + 2


@given(st.integers(-(2**23), 2**23), st.integers(-(2**23), 2**23))
def test_choice(mean, scale):
    (centre,), (table,) = centre_and_table(np.array([mean]), np.array([scale]))
    left_over = Fraction(mean, UNIT) - int(centre)
    assert Fraction(-1, 2) <= left_over < Fraction(1, 2)
    assert divmod(int(table), UNIT) == (min(max(scale, 0), SCALES - 1), (left_over + Fraction(1, 2)) * UNIT)


def test_logistic_tables_are_distributions():
    probabilities, shift = logistic_tables()
    assert probabilities.shape == (SCALES * UNIT, SYMBOLS)
    assert shift.shape == (SCALES * UNIT,)
    assert (probabilities >= 0).all()
    assert probabilities.sum(1) == pytest.approx(1)
    assert shift.max() <= 16
    assert probabilities[:, -1].max() < 1e-3  # escapes are rare


def test_logistic_tables_are_centred_where_the_mean_is():
    probabilities, shift = logistic_tables()
    inner = np.arange(-HALF, HALF + 1)
    narrow = (shift == 0) & (probabilities[:, -1] < 1e-9) & (np.arange(len(shift)) >= 10 * UNIT)
    mean = (probabilities[:, :-1] * inner).sum(1)[narrow]
    table = np.arange(len(shift))[narrow]
    assert narrow.sum() > 100
    # of narrow distributions, rounding moves the mean; of wide ones it does not
    assert mean == pytest.approx((table % UNIT - UNIT // 2) / UNIT, abs=0.25)
    assert mean[-UNIT:] == pytest.approx((table[-UNIT:] % UNIT - UNIT // 2) / UNIT, abs=0.01)


@pytest.mark.parametrize(("mean", "scale"), [(0, 0), (5, 10), (-30, 20), (8, 32), (100, 45), (-7, 63)])
def test_values_cost_what_the_training_loss_charges(mean, scale):
    frequencies = fit_tables(np.zeros((SCALES * UNIT, SYMBOLS)))
    rng = np.random.default_rng(1)
    width = tables.MIN_WIDTH * np.exp(scale / 8)
    values = np.round(rng.logistic(mean / UNIT, width, 40000)).astype(np.int32)
    centre, table = centre_and_table(np.full(values.shape, mean), np.full(values.shape, scale))
    encoder = RangeEncoder(frequencies)
    encoder.code(values - centre, table)
    data = encoder.finish()
    assert np.array_equal(RangeDecoder(frequencies, data).code(None, table) + centre, values)
    parameters = (torch.tensor(values).float(), torch.tensor(mean / UNIT), torch.tensor(scale / UNIT))
    ideal = float(logistic_bits(*parameters).double().sum())
    assert 8 * len(data) == pytest.approx(ideal, rel=0.005, abs=64)


def test_tables_follow_what_was_seen():
    rng = np.random.default_rng(2)
    counts = np.zeros((SCALES * UNIT, SYMBOLS))
    counts[300] = rng.integers(10**6, 2 * 10**6, SYMBOLS)
    fitted, start = fit_tables(counts), fit_tables(np.zeros_like(counts))
    assert fitted.weights[300] / TOTAL == pytest.approx(counts[300] / counts[300].sum(), abs=1e-4)
    assert np.array_equal(np.delete(fitted.weights, 300, 0), np.delete(start.weights, 300, 0))
    assert np.array_equal(fitted.shift, start.shift)


@given(arrays.arrays(np.float64, (3, 8), elements=st.floats(0, 1)).filter(lambda p: (p.sum(1) > 0).all()))
def test_integer_weights(probabilities):
    weights = integer_weights(probabilities)
    assert weights.dtype == np.uint32
    assert (weights.sum(1, dtype=np.int64) == TOTAL - 8).all()
    expected = probabilities / probabilities.sum(1, keepdims=True)
    assert weights / TOTAL == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("weights", "shift"), [(np.int64, np.uint8), (np.float32, np.uint8), (np.int32, np.int32), (np.int32, np.int8)]
)
def test_tables_of_other_types_are_no_tables(weights, shift):
    """A shift of 261 that becomes a byte would be one of 5."""
    made = fit_tables(np.zeros((1024, 50)))
    stored = {
        "tables.weights": torch.from_numpy(made.weights.astype(weights)),
        "tables.shift": torch.from_numpy(made.shift.astype(shift)),
    }
    with pytest.raises(ValueError, match="instead of int32 and uint8"):
        stored_tables(stored)
    sound = {
        "tables.weights": torch.from_numpy(made.weights.astype(np.int32)),
        "tables.shift": torch.from_numpy(made.shift),
    }
    assert np.array_equal(stored_tables(sound).weights, made.weights)
