"""What goes into the known-answer test: the whole range of operands, and the largest sums."""

import hashlib

import google_crc32c
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.priors.integer.answer_inputs import (
    PhotoTokens,
    answer_of,
    attention_input,
    depthwise_input,
    hashes,
    linear_input,
    noise,
)

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.booleans())
def test_some_position_drives_a_product_to_the_end_of_its_range(seed, positive):
    weight = np.random.default_rng(seed).integers(-127, 128, (4, 6))
    x = linear_input(weight, positive, None, 4, 8)
    assert x.shape == (1, 6, 4, 8)
    sums = np.einsum("oi,birc->borc", weight, x)
    largest = 255 * weight.clip(0).sum(1) if positive else 127 * np.abs(weight).sum(1)
    assert np.array_equal(sums.max((0, 2, 3)), largest)
    assert (x.min(), x.max()) == ((0, 255) if positive else (-127, 127))
    assert np.array_equal(linear_input(weight, positive, 3, 4, 8), x * 2**5)


def test_some_position_drives_a_depthwise_convolution_to_the_end_of_its_range():
    weight = np.random.default_rng(1).integers(-127, 128, (3, 5, 5))
    x = depthwise_input(weight, 8, 16, 16)[0]
    patches = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (1, 2))
    sums = np.einsum("crsij,cij->crs", patches, weight)
    assert np.array_equal(sums.max((1, 2)), 127 * np.abs(weight).sum((1, 2)))


def test_attention_has_windows_at_one_end_at_both_and_noise():
    x = attention_input(4, 2, (8, 8, 8), 12, 6).reshape(3, 4, 12, 6)
    assert np.unique(x[:, :, :4]).tolist() == [127]
    assert set(np.unique(x[:, :, 4:8])) <= {-127, 0, 127}
    assert len(np.unique(x[:, :, 8:])) > 50
    in_units = attention_input(4, 2, (8, 7, 6), 12, 6).reshape(3, 4, 12, 6)
    assert np.array_equal(in_units, x * np.array([1, 2, 4])[:, None, None, None])


def test_tokens_go_on_from_step_to_step():
    tokens, whole = PhotoTokens(), PhotoTokens()
    parts = [tokens.next((2, 3, 4)), tokens.next((1, 3, 4))]
    assert np.array_equal(np.concatenate(parts).ravel(), whole.next((3, 3, 4)).ravel())
    many = PhotoTokens().next((100, 10, 10))
    assert np.abs(many).max() > 300
    assert np.median(np.abs(many)) < 20


def test_the_answer_is_a_hash_of_checksums_of_each_part():
    parts = [np.arange(6).reshape(2, 3).T, np.array([-1.0, 2.0], np.float32)]
    expected = hashlib.sha256()
    for numbers in ([0, 3, 1, 4, 2, 5], [-1, 2]):
        expected.update(google_crc32c.value(np.array(numbers, "<i4").tobytes()).to_bytes(4, "little"))
    assert answer_of(parts) == expected.hexdigest()


def test_hashes_and_noise_are_the_same_everywhere():
    assert hashes(1, 2).tolist() == [2654435761, 1013904226]
    assert noise((2, 2), False).tolist() == noise((4,), False).reshape(2, 2).tolist()
    assert noise((300,), True).min() >= 0
