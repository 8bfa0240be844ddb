"""TIFF: tags that describe the picture are kept as EXIF, others are said."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import XMP, colours, exif_of, file_of
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from imgcodec.pictures import directories
from imgcodec.pictures import io as image
from imgcodec.pictures.formats import tiff


def tiff_of(kinds: dict[int, int] | None = None, **tags: object) -> bytes:
    """A TIFF with tags t<number>; kinds: their types, where Pillow would choose others."""
    directory = ImageFileDirectory_v2()
    for name, value in tags.items():
        number = int(name[1:])
        directory.tagtype[number] = (kinds or {}).get(number, directory.tagtype.get(number, 0))
        if not directory.tagtype[number]:
            del directory.tagtype[number]
        directory[number] = value
    return file_of(Image.fromarray(colours()), "TIFF", tiffinfo=directory)


DESCRIPTIVE = {
    "t269": "document",
    "t285": "page",
    "t297": (1, 2),
    "t316": "host",
    "t337": "printer",
    "t18246": 4,
    "t33550": (0.5, 0.5, 0.0),
    "t34735": (1, 1, 0, 1),
    "t40091": b"t\0i\0",
}


@pytest.mark.parametrize("tag", DESCRIPTIVE)
@pytest.mark.parametrize("format", ["TIFF", "PNG", "JPEG", "WEBP"])
def test_tags_that_describe_the_picture_are_kept(tag: str, format: str) -> None:
    picture = image.load(tiff_of(**{tag: DESCRIPTIVE[tag]}))
    assert picture.notes == []
    again = image.load(image.encode(picture, format)[0])
    kept = Image.Exif()
    kept.load(again.exif or b"")
    assert kept[int(tag[1:])] == DESCRIPTIVE[tag]


@pytest.mark.parametrize(
    ("tag", "value", "notes"),
    [
        ("t33723", b"\x1c\2\x19\0\1a", ["its IPTC record was left out"]),
        ("t34377", b"8BIM\4\4\0\0\0\0\0\2ab", ["its IPTC record was left out"]),
        ("t34377", b"8BIM\7\xd0\0\0\0\0\0\2ab", ["its Photoshop resources were left out"]),
        ("t37724", b"Adobe Photoshop Document Data Block\0", ["its Photoshop layers were left out"]),
        ("t330", 8, ["only the first of its pictures is kept"]),
        ("t400", 8, ["its TIFF tag 400 was left out"]),
        (
            "t319",
            (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
        )
        * 1
        + (["its colours are not sRGB, but are taken as such, for it has no ICC profile"],),
        ("t319", (0.64, 0.33, 0.3, 0.6, 0.15, 0.06), []),
    ],
)
def test_what_is_not_kept_is_said(tag: str, value: object, notes: list[str]) -> None:
    picture = image.load(tiff_of({330: 4, 34377: 1}, **{tag: value}))
    assert picture.notes == notes
    assert np.array_equal(picture.pixels, colours())


def test_xmp_that_is_not_utf8_is_the_same_bytes() -> None:
    assert image.load(tiff_of({700: 1}, t700=b"<a>Zo\xeb</a>")).xmp == b"<a>Zo\xeb</a>"
    assert image.load(tiff_of(t700=XMP)).xmp == XMP


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("order", ["<", ">"])
def test_xmp_is_the_same_bytes_whatever_the_type_of_its_tag(kind: int, order: str) -> None:
    packet = "<a>Zoë tiff:Orientation</a>".encode()
    packet += bytes(-len(packet) % 4)
    data = bytearray(directories.with_first(*_in_order(tiff_of(t700=packet), order)))
    size = {3: 2, 4: 4}.get(kind, 1)
    place = data.rindex(struct.pack(order + "HHI", 700, 1, len(packet)))
    struct.pack_into(order + "HHI", data, place, 700, kind, len(packet) // size)
    picture = image.load(bytes(data))
    assert (picture.xmp, picture.notes) == (packet, [])
    assert np.array_equal(picture.pixels, colours())


def _in_order(data: bytes, order: str) -> tuple[bytes, directories.Directory]:
    first = directories.read(data)
    assert first is not None
    return data, directories.ordered(first, order)


def test_a_density_that_is_not_there_is_not_invented() -> None:
    assert image.load(file_of(Image.fromarray(colours()), "TIFF")).density is None
    opened = Image.open(io.BytesIO(file_of(Image.fromarray(colours()), "TIFF")))
    opened.load()
    assert image.load(opened).density is None
    assert image.load(file_of(Image.fromarray(colours()), "TIFF", dpi=(300, 150))).density == (11811, 5906)


def test_a_channel_beside_cmyk_is_said() -> None:
    data = bytearray(file_of(Image.new("CMYK", (8, 8), (9, 9, 9, 9)), "TIFF", tiffinfo={338: 0, 65000: 1}))
    struct.pack_into("<H", data, data.index(struct.pack("<HHIH", 277, 3, 1, 4)) + 8, 5)
    place = data.index(struct.pack("<HHI", 258, 3, 4))
    (bits,) = struct.unpack_from("<I", data, place + 8)
    struct.pack_into("<HHII", data, place, 258, 3, 5, len(data))
    assert data[bits : bits + 8] == b"\x08\0" * 4
    place = data.index(struct.pack("<HHI", 273, 4, 1))
    struct.pack_into("<I", data, place + 8, len(data) + 10)
    note = "1 of its channels are neither colours nor alpha and were left out"
    assert note in image.load(bytes(data) + b"\x08\0" * 5 + bytes(8 * 8 * 5)).notes


def test_layout_is_not_descriptive() -> None:
    assert not any(tiff.is_descriptive(tag) for tag in (256, 258, 273, 279, 320, 330, 338, 513, 700, 34665, 34675))
    assert all(tiff.is_descriptive(int(tag[1:])) for tag in DESCRIPTIVE)


@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate", "tiff_lzw", "jpeg"])
@pytest.mark.parametrize("pages", [1, 3])
def test_bytes_behind_all_directories_and_pixels_are_said(compression: str | None, pages: int) -> None:
    source = Image.fromarray(colours())
    options = {"save_all": True, "append_images": [source] * (pages - 1)} if pages > 1 else {}
    if compression is None:  # libtiff writes no directory of EXIF
        options |= {"exif": exif_of(1)}
    data = file_of(source, "TIFF", compression=compression, **options)
    before = image.load(data).notes
    behind = "its data behind the picture was left out"
    assert behind not in before + image.load(data + bytes(4)).notes
    assert behind in image.load(data + b"secret").notes


@given(st.binary(max_size=100))
def test_any_bytes_have_an_end(data: bytes) -> None:
    for file in (data, b"II*\0\x08\0\0\0" + data, file_of(Image.fromarray(colours()), "TIFF")[:-90] + data):
        assert file.endswith(directories.behind(file))
