"""Exact blocks of a tile."""

import numpy as np
import pytest
from exact.contents import make
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import Rectangle
from imgcodec.exact.blocks import SIDE, Blocks, enlarged, grid, read, write


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_chosen_blocks_come_back_and_no_others(data):
    height, width = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 200))
    channels = data.draw(st.sampled_from([1, 3]))
    pixels = make("two values", (channels, height, width), 255, 1).astype(np.uint8).transpose(1, 2, 0)
    rows, columns = grid(height, width)
    count = rows * columns
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count))).reshape(rows, columns)
    chosen[data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))] = True
    place = Rectangle(128, 64, width, height)
    found = read(write(pixels, chosen), place, channels)
    whole = np.full((64 + height + 9, 128 + width + 9, 3), 77, np.uint8)
    found.put_into(whole)
    expected = np.full_like(whole, 77)
    is_there = enlarged(chosen, (height, width))
    expected[64 : 64 + height, 128 : 128 + width][is_there] = np.broadcast_to(pixels, (height, width, 3))[is_there]
    np.testing.assert_array_equal(whole, expected)
    part = np.full((40, 50, 3), 77, np.uint8)
    found.put_into(part, 60, 120)
    seen = expected[60:100, 120:170]
    np.testing.assert_array_equal(part[: seen.shape[0], : seen.shape[1]], seen)


def test_blocks_are_reduced_by_means():
    pixels = make("noise", (3, 128, 100), 255, 1).astype(np.uint8).transpose(1, 2, 0)
    blocks = Blocks(64, 64, pixels, enlarged(np.array([[True, False], [False, True]]), (128, 100)))
    small = np.zeros((24, 22, 3), np.uint8)
    blocks.reduced(8).put_into(small)
    means = np.rint(pixels[:64, :64].reshape(8, 8, 8, 8, 3).mean((1, 3)))
    np.testing.assert_array_equal(small[8:16, 8:16], means)
    assert not small[8:16, 16:].any()
    assert small[16:24, 16:21].any()


@pytest.mark.parametrize("data", [b"", b"\0", b"\1", b"\xff\0", b"\2" + bytes(30)])
def test_data_that_name_no_blocks_or_have_no_pixels_are_refused(data):
    with pytest.raises(InvalidFileError, match=r"^The exact"):
        read(data, Rectangle(0, 0, SIDE, SIDE), 3)


@given(st.binary(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_decoded_or_refused(data):
    try:
        found = read(data, Rectangle(0, 0, 100, 130), 3)
    except InvalidFileError:
        return
    assert found.pixels.shape[:2] == found.is_there.shape
