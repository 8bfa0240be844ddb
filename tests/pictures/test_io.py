"""Pictures in and out: files, arrays and file objects, and saving."""

import io

import numpy as np
import pytest
from made_pictures import KEEPS_METADATA, colours, exif_of, file_of
from PIL import Image

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.pictures import io as image
from imgcodec.pictures.picture import Picture


class TestArrays:
    def test_one_channel_is_gray(self) -> None:
        gray = colours()[..., 0]
        for array in (gray, gray[..., None]):
            picture = image.load(array)
            assert picture.gray
            assert np.array_equal(picture.pixels, np.repeat(gray[..., None], 3, axis=2))

    def test_the_fourth_channel_is_alpha(self) -> None:
        picture = image.load(np.dstack([colours(), colours()[..., 1]]))
        assert np.array_equal(picture.pixels, colours())
        assert np.array_equal(picture.alpha, colours()[..., 1])
        assert picture.pixels.flags.c_contiguous

    def test_arrays_of_any_memory_order_are_loaded(self) -> None:
        assert np.array_equal(image.load(np.asfortranarray(colours())[::-1]).pixels, colours()[::-1])


class TestFileObjects:
    def test_file_objects_are_read_from_their_position(self) -> None:
        file = io.BytesIO(b"before" + file_of(Image.fromarray(colours())))
        file.seek(6)
        assert np.array_equal(image.load(file).pixels, colours())

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_file_objects_may_give_any_bytes(self, kind: type) -> None:
        source = io.BytesIO(file_of(Image.fromarray(colours())))
        source.read = lambda count=-1, read=source.read: kind(read(count))
        assert np.array_equal(image.load(source).pixels, colours())

    def test_file_objects_over_the_limit_are_refused(self) -> None:
        with pytest.raises(InvalidFileError, match=r"^The input has more than the limit of"):
            image.load(io.BytesIO(bytes(2**26 + 9)), max_pixels=1)


class TestSaving:
    @pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff", ".ppm"])
    @pytest.mark.parametrize("gray", [False, True])
    def test_lossless_formats_keep_pixels(self, suffix: str, gray: bool) -> None:
        pixels = np.repeat(colours()[..., :1], 3, axis=2) if gray else colours()
        again = image.load(image.encode(Picture(pixels, gray=gray), image.format_of(f"a{suffix}"))[0])
        assert np.array_equal(again.pixels, pixels)
        assert again.gray == (gray and suffix != ".webp")

    @pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("gray", [False, True])
    def test_lossless_formats_keep_alpha(self, format: str, gray: bool) -> None:
        pixels = np.repeat(colours()[..., :1], 3, axis=2) if gray else colours()
        picture = Picture(pixels, colours()[..., 1], gray=gray)
        again = image.load(image.encode(picture, format)[0])
        assert np.array_equal(again.pixels, pixels)
        assert np.array_equal(again.alpha, picture.alpha)

    def test_noise_is_written_as_jpeg(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
        assert image.load(image.encode(Picture(noise), "JPEG")[0]).width == 256

    def test_the_format_is_that_of_the_suffix(self) -> None:
        with pytest.raises(UsageError, match=r"\.png, .*not as '\.xyz'"):
            image.format_of("a.xyz")
        with pytest.raises(UsageError):
            image.format_of("a")
        assert image.format_of("-") == "PNG"
        assert image.format_of("A.JPEG") == "JPEG"

    def test_a_picture_too_large_for_a_format_is_refused(self) -> None:
        with pytest.raises(CodecError, match="cannot be written as WEBP"):
            image.encode(Picture(np.zeros((1, 20000, 3), np.uint8)), "WEBP")

    def test_metadata_that_pillow_cannot_write_are_left_out(self) -> None:
        picture = Picture(colours(), exif=exif_of(1)[:30])
        for format in KEEPS_METADATA:
            assert image.load(image.encode(picture, format)[0]).width == 19
