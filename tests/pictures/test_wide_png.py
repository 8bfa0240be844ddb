"""PNG with 16 bits: rounded, keys compared in full, gray with alpha as gray with its profile."""

import io
import struct
import zlib

import numpy as np
import pytest
from generated_pictures.case import samples
from generated_pictures.png import png
from made_pictures import png_chunk
from PIL import Image, ImageCms

from imgcodec.pictures import io as pictures
from imgcodec.pictures import wide_png

GRAY_PROFILE = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
GRAY_PROFILE[16:20] = b"GRAY"


def key_of(*numbers: int) -> bytes:
    return png_chunk(b"tRNS", struct.pack(f">{len(numbers)}H", *numbers))


class TestKeys:
    @pytest.mark.parametrize("interlaced", [False, True])
    def test_only_the_exact_colour_is_transparent(self, interlaced: bool) -> None:
        values = np.full((7, 19, 3), 0x1234)
        values[2, 3] = 0x1234, 0x1234, 0x1235
        values[4, 5] = 0x5678, 0x9ABC, 0xDEF0
        picture = pictures.load(png(values, 16, 2, interlaced, [key_of(0x5678, 0x9ABC, 0xDEF0)]))
        assert picture.alpha is not None
        assert np.argwhere(picture.alpha == 0).tolist() == [[4, 5]]
        picture = pictures.load(png(values, 16, 2, interlaced, [key_of(0x1234, 0x1234, 0x1234)]))
        assert picture.alpha is not None
        assert np.argwhere(picture.alpha == 255).tolist() == [[2, 3], [4, 5]]

    def test_a_key_that_no_pixel_has_leaves_all_opaque(self) -> None:
        picture = pictures.load(png(np.full((2, 2, 3), 0x1234), 16, 2, more=[key_of(0x1234, 0x1234, 0x1200)]))
        assert picture.alpha is not None
        assert picture.alpha.min() == 255

    @pytest.mark.parametrize("bits", [1, 2, 4])
    def test_keys_of_few_bits(self, bits: int) -> None:
        values = samples(bits, 1)
        for key in range(2**bits):
            data = png(values, bits, 0, more=[key_of(key)])
            for source in (data, Image.open(io.BytesIO(data))):
                picture = pictures.load(source)
                assert picture.gray
                assert np.array_equal(picture.alpha == 0, values[..., 0] == key)  # type: ignore[operator]

    @pytest.mark.parametrize("bits", [2, 4])
    def test_keys_of_few_bits_of_a_decoded_image(self, bits: int) -> None:
        values = samples(bits, 1)
        image = Image.open(io.BytesIO(png(values, bits, 0, more=[key_of(2**bits - 1)])))
        image.load()
        picture = pictures.load(image)
        assert np.array_equal(picture.alpha == 0, values[..., 0] == 2**bits - 1)  # type: ignore[operator]
        assert picture.bit_depth == bits

    def test_the_upper_bits_of_a_decoded_image_are_compared_with_a_note(self) -> None:
        values = np.full((2, 2, 3), 0x1234)
        values[0, 0] = 0x5678
        image = Image.open(io.BytesIO(png(values, 16, 2, more=[key_of(0x5678, 0x5678, 0x5678)])))
        image.load()
        picture = pictures.load(image)
        assert np.argwhere(picture.alpha == 0).tolist() == [[0, 0]]  # type: ignore[operator]
        assert picture.notes == ["its 16 bits per sample are reduced to 8"]


class TestGrayWithAlpha:
    @pytest.mark.parametrize("decoded", [False, True])
    def test_the_profile_is_kept(self, decoded: bool) -> None:
        chunk = png_chunk(b"iCCP", b"gray\0\0" + zlib.compress(bytes(GRAY_PROFILE)))
        image = Image.open(io.BytesIO(png(samples(16, 2), 16, 4, more=[chunk])))
        if decoded:
            image.load()
        picture = pictures.load(image)
        assert picture.gray
        assert picture.alpha is not None
        assert picture.icc == bytes(GRAY_PROFILE)

    def test_a_gray_profile_of_colours_is_left_out(self) -> None:
        chunk = png_chunk(b"iCCP", b"gray\0\0" + zlib.compress(bytes(GRAY_PROFILE)))
        picture = pictures.load(png(samples(16, 3), 16, 2, more=[chunk]))
        assert not picture.gray
        assert picture.icc is None
        assert "its ICC profile is of another colour space and was left out" in picture.notes


def test_only_colours_and_alpha_of_16_bits_are_reduced() -> None:
    for colour_type, channels in ((0, 1), (2, 3), (4, 2), (6, 4)):
        for bits in (8, 16):
            reduced = wide_png.is_reduced(png(samples(bits, channels), bits, colour_type))
            assert reduced == (bits == 16 and colour_type != 0)
    assert not wide_png.is_reduced(b"")


def test_an_animation_shows_its_first_frame() -> None:
    data = png(samples(16, 3), 16, 2)
    control = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    frame = struct.pack(">IIIIHHBB", 19, 7, 0, 0, 1, 10, 0, 0)
    end = data.index(b"IEND") - 4
    rows = zlib.compress(b"".join(b"\0" + bytes(19 * 6) for _ in range(7)))
    data = (
        data[:33]
        + control
        + png_chunk(b"fcTL", struct.pack(">I", 0) + frame)
        + data[33:end]
        + png_chunk(b"fcTL", struct.pack(">I", 1) + frame)
        + png_chunk(b"fdAT", struct.pack(">I", 2) + rows)
        + data[end:]
    )
    picture = pictures.load(data)
    assert np.array_equal(picture.pixels, np.rint(samples(16, 3) / 257))
    assert "only the first of its frames is kept" in picture.notes
