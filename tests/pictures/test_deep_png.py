"""PNG files of 16 bits that come out, and pictures of more than 8 bits that stay what they were."""

import io

import numpy as np
import pytest
from exact.contents import make
from PIL import Image

import imgcodec
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import LossWarning
from imgcodec.codec import decode_picture
from imgcodec.one_file import encode_exact
from imgcodec.pictures import io as images
from imgcodec.pictures.deep_png import deepened
from imgcodec.pictures.picture import Picture, kept_exactly
from imgcodec.profiles.exact.codec import ExactCodec


def deep_picture(channels: int, bits: int) -> Picture:
    wide = make("smooth", (channels, 20, 30), 2**bits - 1, 5).transpose(1, 2, 0).copy()
    narrow = np.rint(wide / (2**bits - 1) * 255).astype(np.uint8)
    colours = narrow[..., :3] if channels >= 3 else np.repeat(narrow[..., :1], 3, axis=2)
    alpha = narrow[..., -1] if channels % 2 == 0 else None
    return Picture(colours, alpha, gray=channels < 3, bit_depth=bits, wide=wide, density=(11811, 11811))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [9, 12, 16])
def test_all_bits_go_through_a_file_and_out_as_png_and_in_again(channels, bits):
    picture = deep_picture(channels, bits)
    back = decode_picture(ExactCodec(), container.read(encode_exact(picture, verify=True).data))
    np.testing.assert_array_equal(back.wide, picture.wide)
    file, notes = images.encode(back, "PNG")
    assert not notes
    again = images.load(file)
    assert (again.bit_depth, again.gray, again.density) == (16, channels < 3, picture.density)
    np.testing.assert_array_equal(again.wide, np.rint(picture.wide / (2**bits - 1) * 65535).astype(np.uint16))
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert kept_exactly(again).notes == []


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "TIFF", "PPM"])
def test_formats_without_so_many_bits_say_so(format):
    _, notes = images.encode(deep_picture(3, 12), format)
    assert "its 12 bits per sample are reduced to 8" in notes


def test_pillow_reads_what_is_written():
    image = Image.new("L", (30, 20))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    wide = make("noise", (1, 20, 30), 65535, 5).transpose(1, 2, 0)
    with Image.open(io.BytesIO(deepened(buffer.getvalue(), wide, 16))) as opened:
        np.testing.assert_array_equal(np.asarray(opened), wide[..., 0])


def test_gray_of_16_bits_is_lossless_and_lossy_with_a_word(tiny_model):
    samples = make("smooth", (1, 80, 90), 65535, 5)[0]
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "PNG")
    data = imgcodec.compress(buffer.getvalue(), lossless=True)
    assert imgcodec.info(data).bit_depth == 16
    np.testing.assert_array_equal(imgcodec.read_tokens(data).stages[0][0], samples)
    with pytest.warns(LossWarning, match="16 bits per sample are reduced to 8"):
        tiny_model.compress(buffer.getvalue())


def test_a_tiff_of_16_bits_is_lossless(tmp_path):
    samples = make("smooth", (1, 20, 30), 65535, 5)[0]
    Image.fromarray(samples).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(images.load(tmp_path / "a.tif").wide[..., 0], samples)
