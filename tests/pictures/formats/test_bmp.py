"""BMP: the colour space of its header."""

import struct

import pytest
from made_pictures import SRGB, colours, file_of
from PIL import Image

from imgcodec.pictures import icc
from imgcodec.pictures import io as image

SRGB_ENDS = (0.64, 0.33, 0.03, 0.30, 0.60, 0.10, 0.15, 0.06, 0.79)
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
