"""The frozen frequency tables, and the choice of one for each bin."""

import hashlib

import numpy as np

from imgcodec.bitstream.entropy import TOTAL
from imgcodec.exact.tables import BINS, COUNT, bins, cheapest, frequency_tables


def test_tables_are_frozen():
    """A file needs them to the bit: this hash never changes."""
    tables = frequency_tables()
    assert tables.weights.shape == (COUNT, 128)
    digest = hashlib.sha256(tables.weights.astype("<u4").tobytes() + tables.shift.tobytes()).hexdigest()
    assert digest == "8d6c559fffae7e475e06dc303f7d26f086ef371ecf4b56ab48050fb1c7431557"


def test_tables_are_symmetric_and_wider_and_wider():
    tables = frequency_tables()
    assert (tables.weights[:, :63] == tables.weights[:, 126:63:-1]).all()
    means = []
    for row, shift in zip(tables.weights.astype(float), tables.shift.tolist(), strict=True):
        magnitudes = np.abs(np.arange(127) - 63)
        means.append((row[:127] * magnitudes).sum() / row[:127].sum() * 2**shift)
    assert (np.diff(means) > 0).all() or np.all(np.diff(means[:37]) > 0)
    assert tables.weights[0, 63] > 0.997 * TOTAL


def test_bins_are_thirds_of_doublings():
    found = bins(np.array([0, 1, 2, 3, 4, 8, 16, 2**12, 2**15], np.int32))
    assert found.tolist() == [0, 1, 4, 5, 7, 10, 13, 37, 46]
    every = bins(np.arange(2**14, dtype=np.int32))
    assert (np.diff(every.astype(int)) >= 0).all()
    assert every.max() < BINS
    np.testing.assert_array_equal(every[: 2**12], bins(np.arange(2**12, dtype=np.int32)))


def test_wider_values_get_wider_tables():
    random = np.random.default_rng(2)
    bin = np.repeat(np.arange(4, dtype=np.uint8), 1000)
    values = np.concatenate([np.rint(random.laplace(0, scale, 1000)) for scale in (0.1, 2, 40, 3000)])
    found = cheapest(bin, values.astype(np.int32))
    assert (np.diff(found[:4].astype(int)) > 5).all()
    assert (found[4:] == found[3]).all()
