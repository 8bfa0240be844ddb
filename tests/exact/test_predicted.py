"""Samples as differences from predictions: there and back, and what no encoder makes."""

from contextlib import suppress

import numpy as np
import pytest
from exact.contents import make, samples
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.exact.predicted import decode, encode


@given(samples())
@settings(max_examples=60, deadline=None)
def test_samples_come_back(drawn):
    found, _ = drawn
    again = decode(encode(found), found.shape, found.dtype.type)
    assert again.dtype == found.dtype
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize("shape", [(3, 130, 70), (1, 65, 200), (4, 100, 100), (3, 5000, 1), (3, 1, 5000)])
@pytest.mark.parametrize("most", [255, 65535])
def test_samples_that_get_weights_of_their_own_come_back(shape, most):
    dtype = np.uint8 if most == 255 else np.uint16
    found = make("smooth", shape, most, 3).astype(dtype)
    np.testing.assert_array_equal(decode(encode(found), shape, dtype), found)


def test_a_photograph_takes_fewer_bytes_than_its_noise():
    """Of a smooth picture with two bits of noise little more than the noise is left."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:200, :300]
    noise = random.integers(0, 4, (3, 200, 300))
    smooth = (100 + 60 * np.sin(rows / 40) * np.cos(columns / 50)).astype(int) + noise
    assert len(encode(smooth.astype(np.uint8))) < 1.35 * smooth.size * 2 / 8


@given(st.binary(max_size=400), st.integers(1, 4), st.integers(1, 40), st.integers(1, 40), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_decoded_or_refused(data, channels, height, width, is_wide):
    dtype = np.uint16 if is_wide else np.uint8
    try:
        found = decode(data, (channels, height, width), dtype)
    except InvalidFileError:
        return
    assert (found.shape, found.dtype) == ((channels, height, width), dtype)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_changed_bytes_are_decoded_or_refused(data):
    shape = (3, 40, 50)
    sound = bytearray(encode(make("smooth", shape, 255, 1).astype(np.uint8)))
    for _ in range(data.draw(st.integers(1, 4))):
        sound[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidFileError):
        assert decode(bytes(sound), shape, np.uint8).shape == shape


def test_data_without_its_weights_or_tables_are_refused():
    sound = encode(make("smooth", (1, 9, 9), 255, 1).astype(np.uint8))
    for end in range(4):
        with pytest.raises(InvalidFileError):
            decode(sound[:end], (1, 9, 9), np.uint8)
