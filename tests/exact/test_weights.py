"""Weights: fitted where they pay, and kept in a file."""

import numpy as np
import pytest
from exact.contents import make

from imgcodec.bitstream.cursor import Cursor
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.exact.weights import fit, pack, places, unpack, usual


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_weights_come_back(channels):
    random = np.random.default_rng(channels)
    weights = {place: usual(place) for place in places(channels)}
    for number, place in enumerate(weights):
        if number % 2:
            weights[place][1] = random.integers(-128, 128, place.weights)
    cursor = Cursor(pack(weights, channels))
    found = unpack(cursor, channels)
    assert not cursor.left
    assert all((found[place] == weights[place]).all() for place in weights)
    with pytest.raises(InvalidFileError):
        unpack(Cursor(pack(weights, channels)[:-1]), channels)


def test_usual_weights_take_a_bit_each():
    assert len(pack({place: usual(place) for place in places(3)}, 3)) == -(-3 * 3 * 2 * 3 // 8)


def test_weights_are_fitted_to_what_repeats_and_not_to_a_few_samples():
    rows, columns = np.mgrid[:128, :128]
    waves = (128 + 100 * np.sin(rows / 2.2) * np.sin(columns / 2.2)).astype(np.int32)
    assert any((row != usual(place)).any() for place, row in fit([waves]).items())
    few = make("smooth", (1, 8, 8), 255, 1).astype(np.int32)
    assert all((row == usual(place)).all() for place, row in fit([few[0]]).items())
