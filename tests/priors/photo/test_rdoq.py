"""RDOQ: never a higher cost than rounding, and the same choice in training."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables
from imgcodec.priors.photo.rate import rdo_quantize
from imgcodec.priors.photo.rdoq import RDOQuantizer, slice_weight
from imgcodec.priors.photo.tables import HALF, UNIT, integer_weights, logistic_tables

PROBABILITIES, SHIFT = logistic_tables()
TABLES = FrequencyTables(integer_weights(PROBABILITIES), SHIFT)
SLICES = (4, 12, 16)
WIDEST = int(np.flatnonzero(SHIFT)[0]) // UNIT  # beyond that, values have low bits besides their symbol


def drawn(seed: int, widest: int = WIDEST):
    """Real values (n,) and tables of their kind, narrow enough for one symbol a value."""
    rng = np.random.default_rng(seed)
    scale, fraction = rng.integers(0, widest, 400), rng.integers(0, UNIT, 400)
    values = rng.logistic(0, 0.03 * np.exp(scale / 8) + 0.1).clip(-HALF + 1, HALF - 1)
    return values.astype(np.float32), scale * UNIT + fraction


def cost(tokens, values, table, weight):
    bits = -np.log2((TABLES.weights[table, tokens + HALF] + 1) / TOTAL)
    return bits + weight * (tokens - values) ** 2


@given(st.integers(0, 2**32), st.integers(0, 5), st.integers(1, 3))
def test_chosen_tokens_cost_no_more_than_the_nearest(seed, call, shares):
    values, table = drawn(seed)
    distortion_weight = np.random.default_rng(seed).uniform(0.3, 2, (20, 40)).astype(np.float32)
    quantizer = RDOQuantizer(TABLES, SLICES, distortion_weight, shares)
    for _ in range(call * shares):
        quantizer.quantize(values[:0], table[:0])
    chosen = quantizer.quantize(values, table)
    first = (0, 4, 16)[call // 2]
    row, column = np.indices(distortion_weight.shape)
    weight = slice_weight(first, SLICES[call // 2], 32) * distortion_weight[(row + column) % 2 == call % 2]
    nearest = np.rint(values).astype(int)
    assert set(np.unique((nearest - chosen) * np.sign(nearest))) <= {0, 1}
    assert (cost(chosen, values, table, weight) <= cost(nearest, values, table, weight) + 1e-3).all()


def test_training_rounds_as_the_encoder_does():
    values, table = drawn(7, widest=30)
    weight = slice_weight(0, 32, 32)
    chosen = RDOQuantizer(TABLES, (32,), np.ones((20, 40), np.float32)).quantize(values, table)
    mean = torch.from_numpy((table % UNIT - UNIT // 2) / UNIT).float()
    scale = torch.from_numpy(table // UNIT / UNIT).float()
    in_training = rdo_quantize(torch.from_numpy(values), mean, scale, weight).numpy()
    # tables round probabilities to 2**-24, so far out in the tails the two may differ
    assert np.mean(in_training != chosen) < 0.01
    assert np.mean(chosen != np.rint(values)) > 0.02


def test_early_slices_have_larger_weights():
    weights = [slice_weight(first, groups, 32) for first, groups in zip((0, 4, 16), SLICES, strict=True)]
    assert weights == sorted(weights, reverse=True)
    assert 4 < weights[-1] < 8
