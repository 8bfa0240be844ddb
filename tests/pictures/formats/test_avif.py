"""AVIF: colours by number, the clean aperture, and pictures besides the first.

The files are those that Pillow writes, with their tables of items rewritten.
"""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import SRGB, XMP, colours, exif_of, file_of
from PIL import Image, features

from imgcodec.pictures import cicp, icc
from imgcodec.pictures import io as image
from imgcodec.pictures.formats import avif

pytestmark = pytest.mark.skipif(not features.check("avif"), reason="Pillow is built without AVIF")
SIZE = (64, 48)
HDR = "its colours are HDR (PQ), but are taken as sRGB"


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def plain(**options: object) -> bytes:
    source = Image.fromarray(colours(*SIZE))
    return file_of(source, "AVIF", quality=100, subsampling="4:4:4", **options)


def rebuilt(data: bytes, properties: bytes = b"", items: bytes = b"", references: bytes = b"") -> bytes:
    """The file with more properties of the first item, more items, and references.

    The bytes of items move by as much as the tables grow, and so do the offsets that say where they are.
    """
    ftyp = int.from_bytes(data[:4], "big")
    meta = data[ftyp : ftyp + int.from_bytes(data[ftyp : ftyp + 4], "big")]
    parts = {kind: bytes(body) for kind, body in avif.boxes(meta[12:])}
    if properties:
        inner = {kind: bytes(body) for kind, body in avif.boxes(parts[b"iprp"])}
        there = len(list(avif.boxes(inner[b"ipco"])))
        added = len(list(avif.boxes(properties)))
        table = bytearray(inner[b"ipma"])
        count = table[10]
        place = 11 + count
        table[10] += added
        table[place:place] = bytes(0x80 | (there + 1 + index) for index in range(added))
        parts[b"iprp"] = box(b"ipco", inner[b"ipco"] + properties) + box(b"ipma", bytes(table))
    if items:
        added = len(list(avif.boxes(items)))
        info = parts[b"iinf"]
        parts[b"iinf"] = info[:4] + struct.pack(">H", struct.unpack(">H", info[4:6])[0] + added) + info[6:] + items
    if references:
        parts[b"iref"] = parts.get(b"iref", bytes(4)) + references
    new = meta[8:12] + b"".join(box(kind, body) for kind, body in parts.items())
    grown = 8 + len(new) - len(meta)
    location = bytearray(parts[b"iloc"])
    assert location[0] == 0  # the version that libavif writes
    offset_size, length_size, base_size = location[4] >> 4, location[4] & 15, location[5] >> 4
    place = 8
    for _ in range(struct.unpack(">H", location[6:8])[0]):
        extents = struct.unpack_from(">H", location, place + 4 + base_size)[0]
        place += 6 + base_size
        for _ in range(extents):
            moved = int.from_bytes(location[place : place + offset_size], "big") + grown
            location[place : place + offset_size] = moved.to_bytes(offset_size, "big")
            place += offset_size + length_size
    parts[b"iloc"] = bytes(location)
    new = meta[8:12] + b"".join(box(kind, body) for kind, body in parts.items())
    return data[:ftyp] + box(b"meta", new) + data[ftyp + len(meta) :]


def numbered(primaries: int, transfer: int, data: bytes | None = None) -> bytes:
    """A file with other numbers for its colours."""
    file = bytearray(plain() if data is None else data)
    place = file.index(b"colrnclx") + 8
    file[place : place + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(file)


def item(number: int, kind: bytes, content_type: bytes = b"") -> bytes:
    return box(
        b"infe", b"\2\0\0\0" + struct.pack(">HH4s", number, 0, kind) + b"\0" + content_type + b"\0" * bool(content_type)
    )


def reference(kind: bytes, start: int, *ends: int) -> bytes:
    return box(kind, struct.pack(f">HH{len(ends)}H", start, len(ends), *ends))


def clap(*numbers: int) -> bytes:
    return box(b"clap", struct.pack(">IIIIiIiI", *numbers))


@pytest.mark.parametrize("code", [(12, 13), (9, 13), (9, 1), (1, 1), (1, 8), (6, 6), (11, 17)])
def test_colours_by_number_become_a_profile(code: tuple[int, int]) -> None:
    picture = image.load(numbered(*code))
    assert (picture.icc, picture.notes) == (cicp.profile(code), [])
    assert icc.fault(picture.icc or b"") is None


@pytest.mark.parametrize(
    ("code", "notes"),
    [
        ((1, 13), []),
        ((2, 2), []),
        ((9, 16), [HDR]),
        ((12, 18), ["its colours are HDR (HLG), but are taken as sRGB"]),
        ((10, 13), ["its colours are not sRGB, but are taken as such, for it has no ICC profile"]),
        ((1, 9), ["its colours are not sRGB, but are taken as such, for it has no ICC profile"]),
    ],
)
def test_srgb_needs_no_profile_and_others_are_said(code: tuple[int, int], notes: list[str]) -> None:
    picture = image.load(numbered(*code))
    assert (picture.icc, picture.notes) == (None, notes)


def test_a_profile_counts_before_numbers() -> None:
    picture = image.load(plain(icc_profile=SRGB))
    assert (picture.icc, picture.notes) == (SRGB, [])


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_is_the_same_bytes_and_its_orientation_applied(turn: int) -> None:
    data = plain(exif=exif_of(turn), xmp=XMP)  # Pillow writes the orientation as a property of the file
    picture = image.load(data)
    assert picture.exif is not None
    assert picture.exif in data
    assert (picture.xmp, picture.notes) == (XMP, [])
    assert (picture.width, picture.height) == (SIZE[::-1] if turn > 4 else SIZE)


class TestCleanAperture:
    def test_it_is_applied_to_pixels_and_alpha(self) -> None:
        source = Image.fromarray(np.dstack([colours(*SIZE), colours(*SIZE)[..., 0]]))
        data = rebuilt(file_of(source, "AVIF", quality=100, exif=b""), clap(32, 1, 24, 1, -8, 1, -4, 1))
        whole, picture = image.load(file_of(source, "AVIF", quality=100)), image.load(data)
        assert np.array_equal(picture.pixels, whole.pixels[8:32, 8:40])
        assert whole.alpha is not None
        assert np.array_equal(picture.alpha, whole.alpha[8:32, 8:40])
        assert picture.notes == []

    def test_it_is_applied_before_the_picture_is_turned(self) -> None:
        whole = image.load(plain(exif=exif_of(6)))
        picture = image.load(rebuilt(plain(exif=exif_of(6)), clap(32, 1, 24, 1, -8, 1, -4, 1)))
        assert np.array_equal(picture.pixels, whole.pixels[8:40, 16:40])

    def test_fractions_that_make_whole_pixels(self) -> None:
        picture = image.load(rebuilt(plain(), clap(66, 2, 93, 3, 1, 2, -1, 2)))
        assert (picture.width, picture.height, picture.notes) == (33, 31, [])

    @pytest.mark.parametrize(
        "numbers",
        [
            (32, 1, 24, 1, -8, 0, -4, 1),
            (65, 1, 24, 1, 0, 1, 0, 1),
            (33, 1, 24, 1, 0, 1, 0, 1),
            (32, 1, 24, 1, 17, 1, 0, 1),
            (0, 1, 24, 1, 0, 1, 0, 1),
        ],
    )
    def test_one_that_is_not_valid_is_said(self, numbers: tuple[int, ...]) -> None:
        try:
            picture = image.load(rebuilt(plain(), clap(*numbers)))
        except image.InvalidFileError:  # libavif refuses some
            return
        assert (picture.width, picture.height) == SIZE
        assert picture.notes == ["its clean aperture is not valid, and all of it is kept"]


@pytest.mark.parametrize(
    ("items", "references", "notes"),
    [
        (item(50, b"av01"), b"", ["only the first of its pictures is kept"]),
        (item(50, b"av01"), reference(b"thmb", 50, 1), ["its thumbnail was left out"]),
        (item(50, b"tmap") + item(51, b"av01"), reference(b"dimg", 50, 1, 51), ["its gain map was left out"]),
        (item(50, b"mime", b"text/plain"), b"", ["its further metadata was left out"]),
    ],
)
def test_items_that_are_not_kept_are_said(items: bytes, references: bytes, notes: list[str]) -> None:
    picture = image.load(rebuilt(plain(), items=items, references=references))
    assert picture.notes == notes


def test_boxes_behind_the_picture_are_said() -> None:
    assert image.load(plain() + box(b"mpvd", b"\0\0\0\x18ftypmp42")).notes == ["its video was left out"]
    assert image.load(plain() + box(b"what", b"")).notes == ["its box what was left out"]
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    assert image.load(plain() + box(b"uuid", uuid)).notes == ["its content credentials were left out"]


def test_pixels_that_are_not_square_are_said() -> None:
    data = rebuilt(plain(), box(b"pasp", struct.pack(">II", 2, 1)))
    assert image.load(data).notes == ["its pixel aspect ratio was left out"]


@given(st.binary(max_size=60), st.sampled_from([b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"idat"]))
def test_any_bytes_in_the_tables(data: bytes, kind: bytes) -> None:
    for table in (data, b"\0" * 4 + data, box(b"ipco", data) + box(b"ipma", data)):
        avif.read(Image.new("L", (1, 1)), box(b"meta", bytes(4) + box(kind, table)))


def test_bytes_behind_the_boxes_are_said() -> None:
    data = plain()
    assert image.load(data).notes == image.load(data + bytes(4)).notes == []
    for rest in (b"secret", b"a longer secret"):
        assert image.load(data + rest).notes == ["its data behind the picture was left out"]


def test_zeros_behind_the_boxes_are_padding() -> None:
    data = file_of(Image.fromarray(colours()), "AVIF")
    assert image.load(data + bytes(20)).notes == image.load(data).notes
    assert image.load(data + bytes(20) + b"x").notes != image.load(data).notes
