"""TIFF files that Pillow does not read rightly, and damaged ones."""

import struct

import numpy as np
import pytest
from generated_pictures.case import samples
from generated_pictures.tiff import TIFF_DEFLATE, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.pictures import io as pictures
from imgcodec.pictures import wide_tiff

DATA = tiff(samples(12, 1), 12, 0, ">", tags={315: (4, (1, 2, 3))})


def changed(data: bytes, tag: int, value: int, order: str = ">", kind: int = 4) -> bytes:
    """The file with another value of a tag."""
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from(order + "H", data, place)[0] == tag:
            number = struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + "I", value)
            return data[:place] + number + data[place + 12 :]
    raise AssertionError("no such tag")


class TestLayout:
    def test_numbers_are_those_of_the_file(self) -> None:
        found = wide_tiff.layout(DATA)
        assert found is not None
        assert (found.width, found.height, found.bits, found.channels, found.gray) == (19, 7, 12, 1, True)
        assert (found.photometric, found.rows, len(found.offsets), found.alpha) == (0, 4, 2, None)

    @pytest.mark.parametrize("data", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n", DATA[:40]])
    def test_other_and_cut_files_have_none(self, data: bytes) -> None:
        assert wide_tiff.layout(data) is None

    @pytest.mark.parametrize(
        ("tag", "value"),
        [(256, 0), (257, 0), (258, 32), (259, 7), (262, 8), (277, 0), (277, 99), (278, 0), (278, 1), (339, 3)],
    )
    def test_what_is_not_read_here_has_none(self, tag: int, value: int) -> None:
        data = tiff(samples(16, 1), 16, 1, ">", sample_format=1)
        assert wide_tiff.layout(data) is not None
        assert wide_tiff.layout(changed(data, tag, value)) is None

    def test_eight_bits_are_left_to_pillow(self) -> None:
        assert wide_tiff.preferred_layout(tiff(samples(8, 3), 8, 2)) is None
        assert wide_tiff.preferred_layout(tiff(samples(16, 3), 16, 2)) is not None


def test_metadata_of_a_file_that_pillow_refuses_are_kept() -> None:
    data = tiff(samples(16, 1), 16, 0, ">", tags={0x0128: (3, (2,)), 0x0112: (3, (1,))})
    exif = Image.Exif()
    exif.load(pictures.load(data).exif or b"")
    assert dict(exif) == {0x0128: 2}  # the unit of the density, and nothing of the layout


def test_strips_outside_the_file_are_refused() -> None:
    data = tiff(samples(12, 1), 12, 1, ">", rows_per_strip=7)
    for offset in (len(data) - 3, len(data) + 1, 2**32 - 1):
        with pytest.raises(InvalidFileError):
            pictures.load(changed(data, 273, offset))


def test_strips_that_are_cut_are_refused() -> None:
    values = np.random.default_rng(1).integers(0, 2**12, (64, 64, 3))
    for compression in (1, TIFF_DEFLATE):
        data = tiff(values, 12, 2, compression=compression, rows_per_strip=64)
        (start,) = struct.unpack_from("<I", data, 4)
        for cut in (100, 1000, start // 2):
            short = data[:8] + data[8 + cut : start] + bytes(cut) + data[start:]
            if compression == 1:  # no checksum: other pixels, but no error
                continue
            with pytest.raises(InvalidFileError):
                pictures.load(short)


def test_the_limit_on_pixels_holds_for_what_pillow_refuses() -> None:
    data = tiff(samples(16, 1), 16, 0, ">")
    assert pictures.load(data, max_pixels=19 * 7).width == 19
    with pytest.raises(InvalidFileError, match="over the limit"):
        pictures.load(data, max_pixels=19 * 7 - 1)


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, len(DATA) - 1), value=st.integers(0, 255))
def test_one_changed_byte_gives_a_picture_or_one_error(place: int, value: int) -> None:
    data = bytearray(DATA)
    data[place] = value
    try:
        picture = pictures.load(bytes(data), max_pixels=2**16)
    except InvalidFileError:
        return
    assert picture.width * picture.height <= 2**16


@pytest.mark.parametrize("bits", [3, 5, 7, 9, 11, 13, 15])
def test_odd_depths_are_read(bits: int) -> None:
    picture = pictures.load(tiff(samples(bits, 3), bits, 2, ">"))
    assert np.array_equal(picture.pixels, np.rint(samples(bits, 3) * 255 / (2**bits - 1)))
    assert picture.bit_depth == bits
