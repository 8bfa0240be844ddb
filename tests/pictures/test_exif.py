"""EXIF blocks of pictures that are turned or cropped: what is changed, and that nothing else is."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import LOSSLESS, colours, exif_of, file_of
from PIL import Image

from imgcodec.pictures import exif
from imgcodec.pictures import io as image


def full_block(order: str, orientation: int) -> bytes:
    """A block with sizes and densities in all directories that have them."""
    made = Image.Exif()
    made.endian = order
    made[0x010F] = "Maker"
    made[0x0112] = orientation
    made[0x0100], made[0x0101] = 19, 11
    made[0x011A], made[0x011B], made[0x0128] = 72.0, 144.0, 2
    made[0x8769] = {0xA002: 19, 0xA003: 11, 0xA20E: 1.5, 0xA20F: 2.5, 0xA005: {0x1001: 19, 0x1002: 11}, 0x927C: b"note"}
    return made.tobytes().removeprefix(exif.PREFIX)


def read(block: bytes | None) -> dict[int, object]:
    """The tags of all directories."""
    parsed = Image.Exif()
    parsed.load(block or b"")
    inner = parsed.get_ifd(0x8769)
    return {**dict(parsed), **inner, **parsed.get_ifd(0xA005)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_sizes_and_densities_are_those_of_the_turned_picture(format: str, turn: int, order: str) -> None:
    block = full_block(order, turn)
    picture = image.load(file_of(Image.fromarray(colours()), format, exif=exif.PREFIX + block, **LOSSLESS[format]))
    tags = read(picture.exif)
    width, height = (11, 19) if turn > 4 else (19, 11)
    assert [tags[tag] for tag in (0x0100, 0x0101, 0xA002, 0xA003, 0x1001, 0x1002)] == [width, height] * 3
    assert [float(tags[tag]) for tag in (0x011A, 0x011B)] == ([144, 72] if turn > 4 else [72, 144])
    assert [float(tags[tag]) for tag in (0xA20E, 0xA20F)] == ([2.5, 1.5] if turn > 4 else [1.5, 2.5])
    assert picture.density == ((5669, 2835) if turn > 4 else (2835, 5669))
    assert (tags[0x0112], tags[0x010F], tags[0x927C]) == (1, "Maker", b"note")
    if turn == 1:
        assert picture.exif == block
    assert len(picture.exif or b"") == len(block)


def test_a_size_that_the_type_of_its_tag_cannot_hold_stays() -> None:
    block = full_block("<", 1)
    assert read(exif.resized(block, (70000, 11), are_axes_exchanged=False))[0xA002] == 19


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("unit", [1, 2, 3])
def test_density_of_a_tiff_that_pillow_turns(turn: int, unit: int) -> None:
    source = Image.fromarray(colours())
    data = file_of(source, "TIFF", tiffinfo={274: turn, 282: 100.0, 283: 200.0, 296: unit, 271: "Maker"})
    picture = image.load(data)
    metre = 100 if unit == 3 else 1 / 0.0254
    expected = (round(100 * metre), round(200 * metre))
    expected = expected[::-1] if turn > 4 else expected
    if unit != 1:
        assert picture.density == expected
        assert exif.density(picture.exif) == expected
    assert exif.orientation(picture.exif) in (None, 1)
    opened = Image.open(io.BytesIO(data))
    opened.load()  # and turns it; where it came from is not known any more
    loaded = image.load(opened)
    assert loaded.pixels.shape == picture.pixels.shape
    assert loaded.density == picture.density


def test_a_thumbnail_is_the_second_directory() -> None:
    assert not exif.has_thumbnail(exif_of(1))
    assert not exif.has_thumbnail(None)
    block = bytearray(exif_of(1))
    block[8 + 2 + 36 : 8 + 2 + 40] = struct.pack("<I", 8)
    assert exif.has_thumbnail(bytes(block))


@given(st.binary(max_size=120))
def test_any_bytes_keep_their_length(data: bytes) -> None:
    for block in (data, b"II*\0" + data, b"MM\0*\0\0\0\x08" + data, full_block("<", 6)[: len(data)] + data):
        assert len(exif.resized(block, (3, 2), are_axes_exchanged=True)) == len(block)
        assert len(exif.upright(block)) == len(block)
        exif.orientation(block)
        exif.density(block)
        exif.has_thumbnail(block)
