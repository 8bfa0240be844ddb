"""JPEG: what lies in segments and behind the first picture is named, and the picture is the same."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import XMP, colours, exif_of, file_of
from PIL import Image

from imgcodec.pictures import io as image
from imgcodec.pictures.formats import jpeg

PLAIN = file_of(Image.fromarray(colours()), "JPEG")
PROGRESSIVE = file_of(Image.fromarray(colours(64, 64)), "JPEG", progressive=True, exif=b"Exif\0\0" + exif_of(1))
GAIN_MAP = file_of(Image.new("L", (8, 8)), "JPEG", xmp=b'<a hdrgm:Version="1.0"/>')
APPLE_MAP = file_of(Image.new("L", (8, 8)), "JPEG", xmp=b"urn:com:apple:photo:2020:aux:hdrgainmap")
ISO_MAP = file_of(Image.new("L", (8, 8)), "JPEG", extra=b"\xff\xe2\0\x20urn:iso:std:iso:ts:21496:-1\0\0\0")
MOVIE = b"\0\0\0\x18ftypmp42" + b"\0\0\0\0mp42isom" + b"\0\0\0\x08mdat" + PLAIN
SAMSUNG = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + b"SEFHk\0\0\0" + b"\x14\0\0\0SEFT"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body


def with_segment(marker: int, body: bytes) -> bytes:
    return PLAIN[:20] + segment(marker, body) + PLAIN[20:]


@pytest.mark.parametrize(
    ("rest", "notes"),
    [
        (b"", []),
        (bytes(99), []),
        (b"\xff\r\n", []),
        (b"who knows", ["its data behind the picture was left out"]),
        (PLAIN, ["only the first of its pictures is kept"]),
        (bytes(9) + PROGRESSIVE, ["only the first of its pictures is kept"]),
        (GAIN_MAP, ["its gain map was left out"]),
        (APPLE_MAP, ["its gain map was left out"]),
        (ISO_MAP, ["its gain map was left out"]),
        (GAIN_MAP + PLAIN, ["only the first of its pictures is kept", "its gain map was left out"]),
        (MOVIE, ["its video was left out"]),
        (GAIN_MAP + MOVIE, ["its gain map and video were left out"]),
        (SAMSUNG, ["its video was left out"]),
        (b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1" + SAMSUNG[-12:], ["its data behind the picture was left out"]),
        (PLAIN[:200], ["its data behind the picture was left out"]),
    ],
)
@pytest.mark.parametrize("first", [PLAIN, PROGRESSIVE], ids=["baseline", "progressive"])
def test_what_is_behind_the_picture_is_named(first: bytes, rest: bytes, notes: list[str]) -> None:
    picture = image.load(first + rest)
    assert picture.notes == notes
    assert np.array_equal(picture.pixels, image.load(first).pixels)
    assert image.load(Image.open(io.BytesIO(first + rest))).notes == notes


@pytest.mark.parametrize(
    ("marker", "body", "notes"),
    [
        (0xE0, b"JFXX\0\x10", ["its thumbnail was left out"]),
        (0xE1, b"FLIR\0thermal", ["its data in segment APP1 was left out"]),
        (0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0", ["its gain map was left out"]),
        (0xE2, b"FPXR\0", ["its data in segment APP2 was left out"]),
        (0xEB, b"JP\0\1\0\0\0\1jumbc2pa", ["its content credentials were left out"]),
        (0xEB, b"HDR_RI ver=11", ["its data in segment APP11 was left out"]),
        (0xEC, b"Ducky\0\1", ["its data in segment APP12 was left out"]),
        (0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\0\0\0\2ab", ["its IPTC record was left out"]),
        (0xED, b"Photoshop 3.0\x008BIM\7\xd0\0\0\0\0\0\2ab", ["its Photoshop resources were left out"]),
        (0xED, b"Adobe_CM", ["its data in segment APP13 was left out"]),
        (0xEE, b"Adobe\0d\0\0\0\0\1", []),
        (0xFE, b"hello", ["its comment was left out"]),
    ],
)
def test_segments_that_are_not_kept_are_named(marker: int, body: bytes, notes: list[str]) -> None:
    picture = image.load(with_segment(marker, body))
    assert picture.notes == notes


@pytest.mark.parametrize("data", [PLAIN, PROGRESSIVE], ids=["baseline", "progressive"])
def test_segments_behind_the_first_scan_are_named(data: bytes) -> None:
    for place in (len(data) - 2, data.rindex(b"\xff\xda")):
        is_behind = place > data.index(b"\xff\xda")
        for body, name in (
            (segment(0xFE, b"hello"), "comment"),
            (exif_segment(exif_of(6)), "data in late segment APP1"),
        ):
            picture = image.load(data[:place] + body + data[place:])
            if is_behind:
                assert picture.notes == [f"its {name} was left out"]
                assert np.array_equal(picture.pixels, image.load(data).pixels)
    both = segment(0xEC, b"x") + segment(0xFE, b"hello") + segment(0xEC, b"y") + segment(0xED, b"z")
    notes = image.load(data[:-2] + both + data[-2:]).notes
    assert notes == ["its comment and data in late segments APP12 and APP13 were left out"]


@pytest.mark.parametrize(
    ("unit", "size", "notes"), [(0, (1, 1), 0), (0, (72, 72), 0), (0, (1, 2), 1), (1, (72, 144), 0)]
)
def test_pixels_that_are_not_square_are_said(unit: int, size: tuple[int, int], notes: int) -> None:
    data = bytearray(PLAIN)
    struct.pack_into(">BHH", data, PLAIN.index(b"JFIF\0") + 7, unit, *size)
    opened = Image.open(io.BytesIO(data))
    opened.load()
    for source in (bytes(data), opened):
        assert image.load(source).notes == ["its pixel aspect ratio was left out"] * notes


def exif_segment(block: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + block)


def test_of_two_exif_blocks_the_first_is_kept() -> None:
    first, second = exif_of(1), exif_of(6, ">")
    for block in (second, b"no block"):
        picture = image.load(PLAIN[:20] + exif_segment(first) + exif_segment(block) + PLAIN[20:])
        assert (picture.exif, picture.notes) == (first, ["only the first of its EXIF blocks is kept"])
        assert np.array_equal(picture.pixels, image.load(PLAIN).pixels)
    assert image.load(PLAIN[:20] + exif_segment(first) * 2 + PLAIN[20:]).notes == []


def test_an_exif_block_may_go_on_in_a_second_segment() -> None:
    block = exif_of(1) + bytes(range(256)) * 300
    full = 65533 - len(b"Exif\0\0")
    picture = image.load(PLAIN[:20] + exif_segment(block[:full]) + exif_segment(block[full:]) + PLAIN[20:])
    assert (picture.exif, picture.notes) == (block, [])


def test_of_two_xmp_packets_the_first_is_kept() -> None:
    first, second = (segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet) for packet in (XMP, b"<b/>"))
    picture = image.load(PLAIN[:20] + first + second + PLAIN[20:])
    assert (picture.xmp, picture.notes) == (XMP, ["only the first of its XMP packets is kept"])


@pytest.mark.parametrize(
    "block",
    [
        b"MM\0*\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0",
        b"II*\0",
        b"MM\0*\0\0\0\x08\0\1\1",
        exif_of(1)[:16],
    ],
)
def test_an_exif_block_without_a_directory_is_left_out(block: bytes) -> None:
    picture = image.load(PLAIN[:20] + exif_segment(block) + PLAIN[20:])
    assert (picture.exif, picture.notes) == (None, ["its EXIF cannot be read and was left out"])


def test_pictures_of_a_multi_picture_file_are_named_once() -> None:
    mpo = file_of(Image.fromarray(colours()), "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9), "red")])
    assert image.load(mpo).notes == ["only the first of its pictures is kept"]
    opened = Image.open(io.BytesIO(mpo))
    opened.load()
    assert image.load(opened).notes == ["only the first of its pictures is kept"]


@pytest.mark.parametrize("data", [PLAIN, PROGRESSIVE, GAIN_MAP])
def test_the_end_of_a_jpeg(data: bytes) -> None:
    assert jpeg.end_of(data) == len(data)
    assert jpeg.end_of(b"ab" + data + b"cd", 2) == len(data) + 2
    assert all(jpeg.end_of(data[:length]) is None for length in range(len(data)))


@given(st.binary(max_size=100))
def test_any_bytes_behind_a_picture_have_a_name_or_are_padding(data: bytes) -> None:
    assert bool(jpeg.behind(data)) == bool(data.strip(b"\0\xff\r\n \t"))
    jpeg.behind(PLAIN[:300] + data)
    jpeg.end_of(b"\xff\xd8" + data)
