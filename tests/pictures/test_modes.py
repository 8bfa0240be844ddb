"""Modes and depths of pictures: all become RGB with 8 bits per sample, and what that takes away is said."""

import io
import struct
import zlib

import numpy as np
import pytest
from made_pictures import colours, file_of, png_chunk
from PIL import Image, ImageCms, ImageOps

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.pictures import io as image
from imgcodec.pictures import modes


class TestModes:
    def test_rgb_is_loaded_unchanged(self) -> None:
        picture = image.load(file_of(Image.fromarray(colours())))
        assert np.array_equal(picture.pixels, colours())
        assert (picture.width, picture.height, picture.gray, picture.alpha, picture.notes) == (19, 11, False, None, [])

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "La", "RGBa", "CMYK", "YCbCr", "HSV", "RGBX"])
    def test_every_mode_of_pillow_becomes_rgb(self, mode: str) -> None:
        source = Image.fromarray(colours())
        source = (
            source.convert("RGBA").convert(mode)
            if mode == "RGBa"
            else source.convert(mode[:1] + "A").convert(mode)
            if mode == "La"
            else source.convert(mode)
        )
        picture = image.load(source)
        straight = source.convert(mode.upper()) if mode.endswith("a") else source
        assert np.array_equal(picture.pixels, np.asarray(straight.convert("RGB")))
        assert picture.gray == (mode in ("1", "L", "LA", "La"))
        assert (picture.alpha is not None) == ("A" in mode or "a" in mode)

    def test_hidden_colours_under_transparency_are_kept(self) -> None:
        samples = np.dstack([colours(), np.zeros((11, 19), np.uint8)])
        picture = image.load(file_of(Image.fromarray(samples)))
        assert np.array_equal(picture.pixels, colours())
        assert picture.alpha is not None
        assert not picture.alpha.any()

    def test_colour_key_becomes_alpha(self) -> None:
        source = Image.fromarray(colours())
        picture = image.load(file_of(source, transparency=(13, 23, 14)))
        assert picture.alpha is not None
        assert [tuple(place) for place in np.argwhere(picture.alpha == 0)] == [(1, 1)]

    def test_gray_of_16_bits_is_rounded_and_noted(self) -> None:
        wide = np.array([[0, 128, 129, 257 * 3, 65535]], np.uint16)
        picture = image.load(file_of(Image.fromarray(wide)))
        assert picture.pixels[0, :, 0].tolist() == [0, 0, 1, 3, 255]
        assert picture.gray
        assert picture.notes == ["its 16 bits per sample are reduced to 8"]

    def test_rgb_of_16_bits_is_noted_though_pillow_says_nothing(self) -> None:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours().astype(np.uint16) * 257)
        header = struct.pack(">IIBBBBB", 19, 11, 16, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        picture = image.load(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))
        assert picture.notes == ["its 16 bits per sample are reduced to 8"]
        assert np.array_equal(picture.pixels, colours())

    def test_colour_key_of_16_bits(self) -> None:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours().astype(np.uint16) * 257)
        header, key = struct.pack(">IIBBBBB", 19, 11, 16, 2, 0, 0, 0), struct.pack(">HHH", 13 * 257, 23 * 257, 14 * 257)
        chunks = [(b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        picture = image.load(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))
        assert picture.alpha is not None
        assert [tuple(place) for place in np.argwhere(picture.alpha == 0)] == [(1, 1)]

    @pytest.mark.parametrize("head", [b"P6 2 1 65535\n", b"P6 #c\n2 1\n#d\n65535\n"])
    def test_ppm_of_16_bits_is_noted(self, head: bytes) -> None:
        picture = image.load(head + np.arange(6, dtype=">u2").tobytes())
        assert picture.notes[0] == "its 16 bits per sample are reduced to 8"

    @pytest.mark.parametrize("mode", ["F", "I"])
    def test_samples_without_a_range_are_refused(self, mode: str) -> None:
        with pytest.raises(InvalidFileError, match="convert"):
            image.load(file_of(Image.new(mode, (3, 3), 70000), "TIFF"))

    def test_cmyk_goes_to_srgb_and_says_so(self) -> None:
        source = Image.fromarray(colours()).convert("CMYK")
        picture = image.load(file_of(source, "TIFF"))
        assert picture.icc is None
        assert picture.notes == ["its CMYK is converted to sRGB by formula, for want of a profile"]

    def test_lab_goes_to_srgb(self) -> None:
        source = Image.fromarray(colours(64, 64) // 4 + 90)
        lab = ImageCms.profileToProfile(
            source, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert lab is not None
        picture = image.load(file_of(lab, "TIFF"))
        assert picture.notes == ["its LAB is converted to sRGB"]
        assert np.abs(picture.pixels.astype(int) - np.asarray(source)).max() <= 8


def png_of(bits: int, colour_type: int) -> bytes:
    """A PNG of 8 x 2 samples, all zero: 0 is gray, 2 RGB, 3 a palette."""
    header = struct.pack(">IIBBBBB", 8, 2, bits, colour_type, 0, 0, 0)
    rows = (b"\0" + bytes(8 * bits * (3 if colour_type == 2 else 1) // 8)) * 2
    palette = [(b"PLTE", bytes(3))] if colour_type == 3 else []
    parts = [(b"IHDR", header), *palette, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


class TestBitDepth:
    @pytest.mark.parametrize(
        ("bits", "colour_type", "depth"),
        [(1, 0, 1), (2, 0, 2), (4, 0, 4), (8, 0, 8), (16, 0, 16), (8, 2, 8), (16, 2, 16), (1, 3, 8), (8, 3, 8)],
    )
    def test_bit_depth_is_that_of_the_samples_in_the_file(self, bits: int, colour_type: int, depth: int) -> None:
        data = png_of(bits, colour_type)
        assert image.load(data).bit_depth == image.load(Image.open(io.BytesIO(data))).bit_depth == depth

    @pytest.mark.parametrize(("maximum", "depth"), [(1, 1), (15, 4), (255, 8), (1023, 10), (65535, 16)])
    def test_bit_depth_of_a_ppm_follows_from_its_maximum(self, maximum: int, depth: int) -> None:
        samples = bytes(6 if maximum < 256 else 12)
        assert image.load(b"P6 2 1 %d\n" % maximum + samples).bit_depth == depth

    def test_bit_depth_of_arrays_and_pil_images(self) -> None:
        assert image.load(colours()).bit_depth == 8
        assert image.load(Image.fromarray(np.zeros((2, 2), np.uint16))).bit_depth == 16
        assert image.load(Image.new("1", (2, 2))).bit_depth == 1
        assert image.load(Image.new("P", (2, 2))).bit_depth == 8

    def test_bit_depth_of_a_png_that_pillow_has_opened(self) -> None:
        picture = image.load(Image.open(io.BytesIO(png_of(16, 2))))
        assert picture.notes == ["its 16 bits per sample are reduced to 8"]


@pytest.mark.parametrize("turn", range(1, 9))
def test_pixels_are_turned_as_pillow_turns_them(turn: int) -> None:
    source = Image.fromarray(colours())
    source.getexif()[0x0112] = turn
    assert np.array_equal(modes.turned(colours(), turn), np.asarray(ImageOps.exif_transpose(source)))


def test_gray_is_one_colour_channel() -> None:
    for mode in ("1", "L", "LA", "I;16", "I", "F"):
        assert modes.is_gray(Image.new(mode, (2, 2)))
    for mode in ("P", "RGB", "RGBA", "CMYK"):
        assert not modes.is_gray(Image.new(mode, (2, 2)))


def test_a_tiff_palette_of_bytes_is_not_black() -> None:
    source = Image.fromarray(colours()).quantize(64)
    data = bytearray(file_of(source, "TIFF"))
    place = data.index(struct.pack("<HHI", 320, 3, 768))
    (start,) = struct.unpack_from("<I", data, place + 8)
    wide = np.frombuffer(data, "<u2", 768, start)
    data[start : start + 2 * 768] = (wide >> 8).astype("<u2").tobytes()
    picture = image.load(bytes(data))
    assert np.array_equal(picture.pixels, np.asarray(source.convert("RGB")))
    opened = Image.open(io.BytesIO(data))
    before = opened.convert("RGB").tobytes()
    assert np.array_equal(image.load(opened).pixels, picture.pixels)
    assert opened.convert("RGB").tobytes() == before


def test_signed_bytes_of_a_tiff_are_not_taken_for_unsigned_ones() -> None:
    for high, is_refused in ((127, False), (128, True)):
        samples = np.arange(8 * 8, dtype=np.uint8).reshape(8, 8)
        samples[-1, -1] = high
        data = bytearray(file_of(Image.fromarray(samples), "TIFF", tiffinfo={65000: 1}))
        struct.pack_into("<HHIHH", data, data.index(struct.pack("<HH", 65000, 3)), 339, 3, 1, 2, 0)
        if is_refused:
            with pytest.raises(InvalidFileError, match="no range that is known"):
                image.load(bytes(data))
        else:
            picture = image.load(bytes(data))
            assert np.array_equal(picture.pixels[..., 0], samples)
            assert picture.notes == ["its samples do not say their range: 0 to 255 is taken for black to white"]
