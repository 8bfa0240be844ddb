"""BMP: the colour space of its header."""

import struct

import pytest
from made_pictures import SRGB, colours, file_of
from PIL import Image

from imgcodec.pictures import icc
from imgcodec.pictures import io as image

SRGB_ENDS = (0.64, 0.33, 0.03, 0.30, 0.60, 0.10, 0.15, 0.06, 0.79)
BEHIND = "its data behind the picture was left out"
P3_ENDS = (0.68, 0.32, 0.0, 0.265, 0.69, 0.045, 0.15, 0.06, 0.79)


def bmp(
    space: int, ends: tuple[float, ...] = (0.0,) * 9, gamma: float = 0, profile: bytes = b"", size: int = 124
) -> bytes:
    """A BMP with a fifth header, or a fourth one of 108 bytes."""
    plain = file_of(Image.fromarray(colours()), "BMP")
    pixels = plain[54:]
    header = struct.pack("<I", size) + plain[18:54] + bytes(16) + struct.pack("<I", space)
    header += struct.pack("<9I", *(round(value * 2**30) for value in ends)) + struct.pack(
        "<3I", *[round(gamma * 65536)] * 3
    )
    if size == 124:
        header += struct.pack("<IIII", 4, 124 + len(pixels), len(profile), 0)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + len(pixels) + len(profile), 0, 0, start) + header + pixels + profile


@pytest.mark.parametrize(
    ("data", "profile", "notes"),
    [
        (bmp(0x4D424544, profile=SRGB), SRGB, []),
        (bmp(0x4D424544, profile=SRGB[:200]), None, [icc.NOT_WHOLE]),
        (bmp(0x4D424544), None, [icc.NOT_WHOLE]),
        (
            bmp(0x4C494E4B, profile=b"C:\\a.icc\0"),
            None,
            ["its ICC profile is in another file, which it names, and was left out"],
        ),
        (bmp(0x73524742), None, []),
        (bmp(0x57696E20), None, []),
        (bmp(0), None, []),
        (bmp(0, SRGB_ENDS, 2.2), None, []),
        (bmp(0, SRGB_ENDS, 2.2, size=108), None, []),
        (bmp(0, P3_ENDS, 2.2), None, ["its colours are not sRGB, but are taken as such, for it has no ICC profile"]),
        (
            bmp(0, SRGB_ENDS, 1.0, size=108),
            None,
            ["its colours are not sRGB, but are taken as such, for it has no ICC profile"],
        ),
    ],
)
def test_the_colour_space_of_a_header(data: bytes, profile: bytes | None, notes: list[str]) -> None:
    picture = image.load(data)
    assert (picture.icc, picture.notes) == (profile, notes)
    assert picture.pixels.tolist() == colours().tolist()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bytes_behind_the_pixels_are_said(mode: str) -> None:
    data = file_of(Image.fromarray(colours()).convert(mode), "BMP")
    assert image.load(data).notes == image.load(data + bytes(2)).notes == []
    assert image.load(data + b"secret").notes == [BEHIND]
    core = b"BM" + struct.pack("<IHHIIHHHH", 34, 0, 0, 26, 12, 1, 2, 1, 24) + b"abc\0def\0"
    assert image.load(core).notes == []
    assert image.load(core + b"secret").notes == [BEHIND]


def test_bytes_behind_a_profile_or_before_it_are_said() -> None:
    data = bmp(0x4D424544, profile=SRGB)
    assert image.load(data + b"secret").notes == [BEHIND]
    start = 14 + struct.unpack_from("<I", data, 126)[0]
    moved = data[:126] + struct.pack("<I", start - 14 + 6) + data[130:start] + b"secret" + data[start:]
    picture = image.load(moved)
    assert (picture.icc, picture.notes) == (SRGB, [BEHIND])


def test_the_end_of_run_lengths_is_that_of_the_header() -> None:
    packed = b"\2\1\0\0\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 8, 1, len(packed), 0, 0, 2, 0)
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 8) + head + bytes(4) + b"abc\0" + packed
    assert image.load(data).notes == []
    assert image.load(data + b"secret").notes == [BEHIND]


@pytest.mark.parametrize(("mask", "notes"), [(0x8000, ["its alpha channel was left out"]), (0, [])])
def test_alpha_of_sixteen_bits_is_said(mask: int, notes: list[str]) -> None:
    header = struct.pack("<IiiHHIIiiII", 124, 4, 2, 1, 16, 3, 16, 0, 0, 0, 0)
    header += struct.pack("<5I", 0x7C00, 0x3E0, 0x1F, mask, 0x73524742) + bytes(48 + 16)
    picture = image.load(b"BM" + struct.pack("<IHHI", 138 + 16, 0, 0, 138) + header + struct.pack("<8H", *[0x7C00] * 8))
    assert picture.notes == notes
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]
