"""The smaller of two methods."""

import numpy as np
import pytest
from exact.contents import make, samples
from hypothesis import given, settings

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.exact.tile import Method, decode, encode


@given(samples())
@settings(max_examples=60, deadline=None)
def test_samples_come_back(drawn):
    found, depth = drawn
    np.testing.assert_array_equal(decode(encode(found), found.shape, depth), found)


@pytest.mark.parametrize(
    ("content", "method"), [("checks", Method.VP8L), ("two values", Method.VP8L), ("smooth", Method.PREDICTED)]
)
@pytest.mark.parametrize("side", [100, 400])
def test_drawings_and_photographs_are_told_apart(content, method, side):
    data = encode(make(content, (3, side, side), 255, 1).astype(np.uint8))
    assert data[0] == method
    np.testing.assert_array_equal(decode(data, (3, side, side), 8), make(content, (3, side, side), 255, 1))


def test_other_methods_and_depths_are_refused():
    drawn = encode(make("checks", (1, 30, 30), 255, 1).astype(np.uint8))
    assert drawn[0] == Method.VP8L
    for data, depth in ((b"", 8), (bytes([2]) + drawn[1:], 8), (drawn, 16)):
        with pytest.raises(InvalidFileError):
            decode(data, (1, 30, 30), depth)
    deep = encode(np.full((1, 3, 3), 4096, np.uint16))
    assert decode(deep, (1, 3, 3), 13).max() == 4096
    with pytest.raises(InvalidFileError, match="more than 12 bits"):
        decode(deep, (1, 3, 3), 12)
