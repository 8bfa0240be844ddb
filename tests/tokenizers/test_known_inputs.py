"""What goes into the known-answer test of a tokenizer, and when two answers are the same."""

import numpy as np

from imgcodec.tokenizers.known_inputs import (
    SHOWN,
    as_text,
    hashes,
    is_same,
    known_levels,
    middle,
    noisy_pixels,
    sparse_tokens,
)


def test_pixels_and_tokens_are_the_same_everywhere():
    assert hashes((2, 2)).ravel().tolist() == [0, 10368889, 3960563, 14329453]
    pixels = noisy_pixels(2, 8)
    assert pixels.dtype == np.float32
    assert pixels.shape == (2, 3, 8, 8)
    assert 0.1 < pixels.min() < pixels.max() < 0.9
    tokens = sparse_tokens((4, 20, 20))
    assert set(np.unique(tokens)) == {-1, 0, 1}
    assert 0.02 < (tokens != 0).mean() < 0.12


def test_levels_lie_between_rows():
    assert known_levels(8) == [0.875, 4.375]


def test_the_middle_is_shown():
    picture = np.arange(64 * 64, dtype=np.float32).reshape(1, 1, 64, 64)
    assert middle(picture).shape == (1, 1, SHOWN, SHOWN)
    assert middle(picture)[0, 0, 0, 0] == picture[0, 0, 16, 16]


def test_answers_may_differ_by_a_grey_level():
    picture = np.full((2, 4, 4, 3), 100, np.uint8)
    text = as_text(picture)
    assert is_same(picture + np.uint8(1), text)
    assert not is_same(picture + np.uint8(2), text)
    assert not is_same(picture[:1], text)
    assert not is_same(picture, "no base64!")
