"""JPEG 2000: metadata in boxes."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import SRGB, XMP, colours, exif_of, file_of
from PIL import Image

from imgcodec.pictures import icc
from imgcodec.pictures import io as image
from imgcodec.pictures.formats import jpeg2000

PLAIN = file_of(Image.fromarray(colours()), "JPEG2000", no_jp2=False)
COMMENT = image.load(PLAIN).notes  # of the encoder's own


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def with_box(kind: bytes, body: bytes) -> bytes:
    """The file with a box before its codestream."""
    place = PLAIN.index(b"jp2c") - 4
    return PLAIN[:place] + box(kind, body) + PLAIN[place:]


def with_colours(body: bytes, *more: bytes) -> bytes:
    """The file with another box for its colours, and more boxes in its header."""
    start = PLAIN.index(b"jp2h") - 4
    size = int.from_bytes(PLAIN[start : start + 4], "big")
    place = PLAIN.index(b"colr") - 4
    old = int.from_bytes(PLAIN[place : place + 4], "big")
    header = PLAIN[start + 8 : place] + box(b"colr", body) + b"".join(more) + PLAIN[place + old : start + size]
    return PLAIN[:start] + box(b"jp2h", header) + PLAIN[start + size :]


@pytest.mark.parametrize("uuid", [b"JpgTiffExif->JP2", bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e")])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("turn", [1, 6])
def test_exif_is_kept_and_its_orientation_applied(uuid: bytes, prefix: bytes, turn: int) -> None:
    picture = image.load(with_box(b"uuid", uuid + prefix + exif_of(turn)))
    assert (picture.exif, picture.notes) == (exif_of(1), COMMENT)
    upright = image.load(PLAIN).pixels
    assert np.array_equal(picture.pixels, np.rot90(upright, -1) if turn == 6 else upright)


def test_xmp_is_kept() -> None:
    uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    assert image.load(with_box(b"uuid", uuid + XMP)).xmp == XMP


@pytest.mark.parametrize("method", [2, 3])
def test_a_profile_is_kept(method: int) -> None:
    picture = image.load(with_colours(bytes([method, 0, 0]) + SRGB))
    assert (picture.icc, picture.notes) == (SRGB, COMMENT)
    assert icc.NOT_WHOLE in image.load(with_colours(bytes([method, 0, 0]) + SRGB[:-9])).notes


def test_colours_by_number_become_a_profile() -> None:
    picture = image.load(with_colours(b"\5\0\0" + struct.pack(">HHH", 12, 13, 0) + b"\x80"))
    assert picture.icc is not None
    assert picture.notes == COMMENT


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (with_box(b"uuid", bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38") + b"\x1c\2"), "IPTC record"),
        (with_box(b"uuid", bytes.fromhex("09a14e97c0b442e0bebf36df6f0ce36f") + b"\x1c\2"), "IPTC record"),
        (with_box(b"uuid", bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03") + b"II*\0"), "GeoTIFF data"),
        (with_box(b"uuid", bytes(16)), "box uuid"),
        (with_box(b"xml ", b"<a/>"), "XML data"),
        (with_box(b"jumb", b"\0\0\0\x08c2pa"), "content credentials"),
        (with_box(b"what", b"a"), "box what"),
    ],
)
def test_boxes_that_are_not_kept_are_said(data: bytes, names: str) -> None:
    assert any(names in note for note in image.load(data).notes)


def test_colours_that_nobody_knows_are_said() -> None:
    note = "its colours are not sRGB, but are taken as such, for it has no ICC profile"
    assert note in image.load(with_colours(b"\1\0\0\0\0\0\x15")).notes
    assert note not in image.load(with_colours(b"\1\0\0\0\0\0\x10")).notes


@pytest.mark.parametrize("kind", [b"resc", b"resd"])
def test_density_is_kept(kind: bytes) -> None:
    resolution = box(b"res ", box(kind, struct.pack(">HHHHbb", 5906, 1, 11811, 10, 0, 1)))
    assert image.load(with_colours(b"\1\0\0\0\0\0\x10", resolution)).density == (11811, 5906)


@given(st.binary(max_size=100))
def test_any_bytes_in_boxes(data: bytes) -> None:
    for file in (PLAIN[:12] + data, PLAIN[:12] + box(b"jp2h", data), PLAIN[:12] + box(b"jp2h", box(b"res ", data))):
        jpeg2000.read(Image.new("L", (1, 1)), file)
    jpeg2000.read(Image.new("L", (1, 1)), PLAIN[:12] + box(b"uuid", data) + box(b"jp2h", box(b"colr", data)))


@pytest.mark.parametrize("no_jp2", [False, True])
@pytest.mark.parametrize("rest", [b"secret", b"a longer secret"])
def test_bytes_behind_the_codestream_are_said(rest: bytes, no_jp2: bool) -> None:
    data = file_of(Image.fromarray(colours()), "JPEG2000", no_jp2=no_jp2)
    assert image.load(data).notes == image.load(data + bytes(2)).notes == COMMENT
    assert image.load(data + rest).notes == ["its comment and data behind the picture were left out"]


def test_bytes_behind_a_codestream_up_to_the_end_are_said() -> None:
    place = PLAIN.index(b"jp2c") - 4
    assert image.load(PLAIN[:place] + bytes(4) + PLAIN[place + 4 :] + b"secret").notes == [
        "its comment and data behind the picture were left out"
    ]


def test_a_second_specification_of_colours_is_said() -> None:
    note = "only the first of its specifications of colours is kept"
    enumerated, profile = b"\1\0\0\0\0\0\x10", b"\2\0\0" + SRGB
    assert note in image.load(with_colours(enumerated, box(b"colr", profile))).notes
    assert note not in image.load(with_colours(profile, box(b"colr", enumerated))).notes
    assert note not in image.load(with_colours(profile, box(b"colr", profile))).notes
    assert image.load(with_colours(profile, box(b"colr", profile + b"x"))).icc == SRGB


def test_lab_is_not_taken_for_srgb_silently() -> None:
    note = "its colours are not sRGB, but are taken as such, for it has no ICC profile"
    assert note in image.load(with_colours(b"\1\0\0\0\0\0\x0e")).notes


def test_a_second_codestream_is_said() -> None:
    data = file_of(Image.fromarray(colours()), "JPEG2000")
    again = data[data.index(b"jp2c") - 4 :]
    assert "only the first of its pictures is kept" in image.load(data + again).notes
