"""Pictures stretched to squares."""

import numpy as np
import pytest

from imgcodec.pictures.square import as_square, resized


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (1000, 700), (32, 32)])
def test_any_picture_becomes_a_square_of_about_its_colours(size):
    height, width = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = (200, 100, 50)
    found = as_square(pixels, 32)
    assert found.shape == (32, 32, 3)
    assert np.abs(found.mean((0, 1)) - pixels.mean((0, 1))).max() < 10


def test_a_picture_of_that_size_is_left_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert resized(pixels, 30, 20) is pixels
    assert resized(pixels, 10, 40).shape == (40, 10, 3)
