"""Samples of pictures, of 8 bits and of more."""

import numpy as np
import pytest

from imgcodec.bitstream.header import ColourMode
from imgcodec.pictures.exact_samples import colour_mode_with_alpha, put_samples, sample_depth, samples_of
from imgcodec.pictures.picture import Picture

RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("gray", "has_alpha", "mode"),
    [
        (True, False, ColourMode.GRAY),
        (True, True, ColourMode.GRAY_ALPHA),
        (False, False, ColourMode.RGB),
        (False, True, ColourMode.RGB_ALPHA),
    ],
)
def test_samples_have_the_channels_of_their_mode(gray, has_alpha, mode):
    pixels = RANDOM.integers(0, 256, (5, 4, 1 if gray else 3)).astype(np.uint8)
    alpha = RANDOM.integers(0, 256, (5, 4)).astype(np.uint8) if has_alpha else None
    picture = Picture(np.repeat(pixels, 3, axis=2) if gray else pixels, alpha, gray=gray, bit_depth=4)
    samples = samples_of(picture)
    assert colour_mode_with_alpha(picture) == mode
    assert sample_depth(picture) == 4
    np.testing.assert_array_equal(samples[: len(samples) - has_alpha].transpose(1, 2, 0), pixels)
    again = Picture(picture.pixels, gray=gray)
    put_samples(again, samples, 4)
    assert again.bit_depth == 4
    assert again.wide is None
    assert (again.alpha is None) == (not has_alpha)
    if has_alpha:
        np.testing.assert_array_equal(again.alpha, alpha)


def test_wide_samples_are_kept_beside_the_narrow_ones():
    wide = RANDOM.integers(0, 2**12, (5, 4, 4)).astype(np.uint16)
    picture = Picture(np.zeros((5, 4, 3), np.uint8), np.zeros((5, 4), np.uint8), bit_depth=12, wide=wide)
    assert sample_depth(picture) == 12
    again = Picture(np.zeros((5, 4, 3), np.uint8))
    put_samples(again, samples_of(picture), 12)
    np.testing.assert_array_equal(again.wide, wide)
    np.testing.assert_array_equal(again.alpha, np.rint(wide[..., 3] / 4095 * 255).astype(np.uint8))
    assert sample_depth(Picture(np.zeros((5, 4, 3), np.uint8), bit_depth=16)) == 8
