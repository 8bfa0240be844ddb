"""GIF: extensions with XMP and a profile are kept, others are said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import SRGB, XMP, colours, file_of
from PIL import Image

from imgcodec.pictures import io as image
from imgcodec.pictures.formats import gif

PLAIN = file_of(Image.fromarray(colours()).quantize(16), "GIF")
GRAYS = file_of(Image.linear_gradient("L"), "GIF")
TRAILER = b"\1" + bytes(range(255, -1, -1)) + b"\0"


def blocks(data: bytes) -> bytes:
    return b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255)) + b"\0"


def extended(extension: bytes, data: bytes = PLAIN) -> bytes:
    """A GIF with an extension behind its table of colours."""
    place = 13 + (3 << 1 + (data[10] & 7))
    return b"GIF89a" + data[6:place] + extension + data[place:]


def application(name: bytes, content: bytes) -> bytes:
    return b"\x21\xff\x0b" + name + content


def test_xmp_and_a_profile_are_kept() -> None:
    file = extended(application(b"XMP DataXMP", XMP + TRAILER))
    file = extended(application(b"ICCRGBG1012", blocks(SRGB)), file)
    picture = image.load(file)
    assert (picture.xmp, picture.icc, picture.notes) == (XMP, SRGB, [])
    assert picture.pixels.tolist() == image.load(PLAIN).pixels.tolist()


@pytest.mark.parametrize("size", [1, 255, 256, 700, 3000])
def test_xmp_of_any_length_is_kept(size: int) -> None:
    packet = ("é<a/>" * size)[:size].encode()
    assert image.load(extended(application(b"XMP DataXMP", packet + TRAILER))).xmp == packet


def test_a_palette_of_grays_with_a_profile_stays_in_colour() -> None:
    picture = image.load(extended(application(b"ICCRGBG1012", blocks(SRGB)), GRAYS))
    assert (picture.icc, picture.gray, picture.notes) == (SRGB, False, [])
    assert image.load(GRAYS).gray


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        (extended(b"\x21\xfe" + blocks(b"hello")), ["its comment was left out"]),
        (extended(b"\x21\x01\x0c" + bytes(12) + blocks(b"hello")), ["its text was left out"]),
        (extended(application(b"NETSCAPE2.0", blocks(b"\1\0\0"))), []),
        (extended(application(b"MYDATA\x1b[1.0", blocks(b"a"))), ["its data of the application MYDATA was left out"]),
        (extended(application(b"ICCRGBG1012", blocks(SRGB[:200]))), ["its ICC profile is not whole and was left out"]),
        (
            extended(application(b"XMP DataXMP", XMP + TRAILER) + application(b"XMP DataXMP", b"<b/>" + TRAILER)),
            ["only the first of its XMP packets is kept"],
        ),
        (PLAIN + b"behind", ["its data behind the picture was left out"]),
        (PLAIN[:12] + b"\x11" + PLAIN[13:], ["its pixel aspect ratio was left out"]),
    ],
)
def test_what_is_not_kept_is_said(data: bytes, notes: list[str]) -> None:
    assert image.load(data).notes == notes


@given(st.binary(max_size=100))
def test_any_bytes_end(data: bytes) -> None:
    for file in (data, PLAIN[:13] + data, extended(b"\x21" + data), extended(application(b"XMP DataXMP", data))):
        gif.read(Image.new("L", (1, 1)), file)


def test_an_extension_that_nobody_knows_is_said() -> None:
    plain = file_of(Image.new("P", (4, 4)), "GIF")
    place = plain.index(b"\x2c", 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0))
    for label, notes in ((0x42, ["its unknown extension was left out"]), (0xF9, [])):
        extension = b"\x21" + bytes([label]) + b"\4\0\0\0\0\0"
        assert image.load(plain[:place] + extension + plain[place:]).notes == notes
