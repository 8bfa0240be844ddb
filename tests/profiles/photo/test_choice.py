"""Which blocks are drawn, and far from what they were."""

from dataclasses import replace

import numpy as np
import pytest
from exact.contents import make
from made_pictures import PHOTOGRAPH
from PIL import Image
from small_file import HEADER

from imgcodec.bitstream.header import Tune
from imgcodec.exact.blocks import enlarged, write
from imgcodec.profiles.photo.choice import (
    MARGIN,
    USUAL,
    drawn,
    far,
    filled,
    least_bytes,
    share,
    share_of_tokens,
    smeared,
)


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))


def test_no_block_of_a_photograph_is_drawn_and_few_of_a_gray_one(photograph):
    assert not drawn(photograph).any()
    assert drawn(np.repeat(photograph[..., :1], 3, axis=2)).mean() < 1 / 8


@pytest.mark.parametrize("content", ["checks", "two values", "ends"])
def test_blocks_of_drawings_are_found_in_a_photograph(photograph, content):
    pixels = photograph[:192, :256].copy()
    pixels[64:128, 128:192] = make(content, (3, 64, 64), 255, 3).transpose(1, 2, 0)
    expected = np.zeros((3, 4), bool)
    expected[1, 2] = True
    np.testing.assert_array_equal(drawn(pixels), expected)
    assert share(expected, pixels.shape[:2]) == pytest.approx(1 / 12)


def test_what_fills_blocks_goes_on_from_what_is_beside_them(photograph):
    """So that tokens have no edge at their borders, which would show beside them."""
    pixels = photograph[:190, :256].copy()
    chosen = np.zeros((3, 4), bool)
    chosen[0, 1] = chosen[1, 1:3] = True
    inside = enlarged(chosen, pixels.shape[:2])
    pixels[inside] = 255 - pixels[inside]
    found = filled(pixels, chosen)
    assert (found[~inside] == pixels[~inside]).all()
    np.testing.assert_array_equal(found[70:120, 64], pixels[70:120, 63])  # as on the left of block (1, 1)
    np.testing.assert_array_equal(found[127, 70:180], pixels[128, 70:180])  # as below
    np.testing.assert_array_equal(found[64, 140:190], pixels[63, 140:190])  # as above block (1, 2)
    for row, column in ((0, 1), (1, 1), (1, 2)):
        block = pixels[64 * row : 64 * (row + 1), 64 * column : 64 * (column + 1)]
        assert (found[64 * row + 32, 64 * column + 32] == np.rint(block.mean((0, 1)))).all()
    assert (found[:30, 100] == found[0, 100]).all()  # beyond the picture there is nothing to go on from
    assert (filled(pixels, np.ones((3, 4), bool))[:64, :64] == np.rint(pixels[:64, :64].mean((0, 1)))).all()


def test_noise_is_not_drawn_and_a_pattern_of_many_colours_is(photograph):
    """Noise has edges everywhere, but no pattern: without a loss it takes twenty times the bytes."""
    rng = np.random.default_rng(0)
    size = photograph[:128, :192].shape
    for noise in (
        rng.normal(0, 60, size),
        np.repeat(rng.normal(0, 90, (*size[:2], 1)), 3, 2),
        rng.uniform(-255, 255, size),
    ):
        assert not drawn((photograph[:128, :192] + noise).clip(0, 255).astype(np.uint8)).any()
    rows, columns = np.mgrid[:128, :192]
    checks = np.where((rows + columns) % 2, 255 - rows, columns // 2)
    pattern = np.stack([checks, checks[::-1], 255 - checks], 2).astype(np.uint8)
    assert len(np.unique(pattern[:64, :64].reshape(-1, 3), axis=0)) > 1000
    assert drawn(pattern).all()


def test_pictures_of_a_few_pixels_have_blocks():
    assert drawn(np.zeros((1, 1, 3), np.uint8)).shape == (1, 1)
    assert drawn(make("checks", (3, 3, 70), 255, 1).astype(np.uint8).transpose(1, 2, 0)).tolist() == [[True, True]]


@pytest.mark.parametrize("quality", [0, 50, 90, 100])
@pytest.mark.parametrize("tune", [Tune.PSNR, Tune.VISUAL])
def test_far_is_so_many_decibels_below_what_is_usual(quality, tune):
    header = replace(HEADER, quality=256 * quality, tune=tune)
    floor = np.interp(quality, (0, 25, 50, 75, 100), USUAL[tune]) - MARGIN
    pixels = np.full((64, 128, 3), 100, np.uint8)
    decoded = pixels.copy()
    error = 255 / 10 ** (floor / 20)
    decoded[:, :64] += np.uint8(np.floor(error))
    decoded[:, 64:] += np.uint8(np.ceil(error + 0.001))
    assert far(pixels, decoded, header).tolist() == [[False, True]]
    assert far(pixels, decoded, header, np.array([[True, False]])).tolist() == [[False, False]]
    assert far(pixels, decoded, header, np.array([[False, True]])).tolist() == [[False, True]]


def test_a_smear_is_a_drawn_block_that_is_near_in_decibels_alone():
    """Thin strokes on white: a block of their mean colour has lost them, and is nearer than photographs' blocks are."""
    header = replace(HEADER, quality=0, tune=Tune.VISUAL)
    pixels = np.full((64, 192, 3), 255, np.uint8)
    pixels[::16, :128] = 70
    decoded = pixels.copy()
    decoded[:, :64] = np.rint(pixels[:, :64].mean((0, 1)))
    decoded[:, 64:128][::16] = 120
    every = np.ones((1, 3), bool)
    assert not far(pixels, decoded, header).any()
    assert smeared(pixels, decoded, header, every).tolist() == [[True, False, False]]
    assert not smeared(pixels, decoded, header, ~every).any()
    assert not smeared(pixels // 4, decoded // 4, header, every).any()  # of little contrast: no nearer in photographs


def test_the_share_of_tokens_is_that_of_the_blocks_that_have_them(tiny_codec):
    header = tiny_codec.header((200, 130), 50, None)
    zero = tiny_codec.empty(header)
    stages = [stage.copy() for stage in zero]
    stages[0][:, 0, 0] += 3
    stages[1][:, 4:8, 12:13] -= 3  # of the last block of the second row, which is not whole
    chosen = np.zeros((3, 4), bool)
    assert share_of_tokens(stages, zero, chosen) == 0
    chosen[1, 3] = True
    assert 0.1 < share_of_tokens(stages, zero, chosen) < 0.9
    chosen[0, 0] = True
    assert share_of_tokens(stages, zero, chosen) == pytest.approx(1)
    assert share_of_tokens(zero, zero, chosen) == 0


@pytest.mark.parametrize("content", ["noise", "smooth", "two values"])
def test_the_least_bytes_are_fewer_than_exact_blocks_take(content):
    pixels = make(content, (3, 130, 130), 255, 1).astype(np.uint8).transpose(1, 2, 0)
    chosen = np.array([[True, False, True], [True, True, False], [False, False, True]])
    size = len(write(pixels, chosen))
    assert size / 5 < least_bytes(pixels, chosen) < size
