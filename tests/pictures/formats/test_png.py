"""PNG: text and profiles of any size, in both directions, and chunks that are not kept."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import SRGB, XMP, colours, exif_of, file_of, png_chunk, with_chunk
from PIL import Image

from imgcodec.pictures import icc
from imgcodec.pictures import io as image
from imgcodec.pictures.formats import png
from imgcodec.pictures.picture import Picture

PLAIN = file_of(Image.fromarray(colours()))
LONG_ICC = len(SRGB + bytes(3 * 2**20)).to_bytes(4, "big") + SRGB[4:] + bytes(3 * 2**20)
LONG_XMP = XMP + b" " * (3 * 2**20)


def raw(name: str, block: bytes, kind: bytes = b"zTXt") -> bytes:
    text = f"\n{name}\n{len(block):8}\n{block.hex()}\n".encode()
    keyword = f"Raw profile type {name}".encode() + b"\0"
    return png_chunk(kind, keyword + (b"\0" + zlib.compress(text) if kind == b"zTXt" else text))


def packed_xmp(packet: bytes) -> bytes:
    return png_chunk(b"iTXt", png.XMP_KEYWORD + b"\0\1\0\0\0" + zlib.compress(packet))


class TestReading:
    @pytest.mark.parametrize(
        ("chunk", "field", "value"),
        [
            (raw("icc", SRGB), "icc", SRGB),
            (raw("icm", SRGB, b"tEXt"), "icc", SRGB),
            (raw("exif", b"Exif\0\0" + exif_of(1)), "exif", exif_of(1)),
            (raw("exif", exif_of(1), b"tEXt"), "exif", exif_of(1)),
            (raw("APP1", b"Exif\0\0" + exif_of(1)), "exif", exif_of(1)),
            (raw("APP1", b"http://ns.adobe.com/xap/1.0/\0" + XMP), "xmp", XMP),
            (raw("xmp", XMP), "xmp", XMP),
            (packed_xmp(XMP), "xmp", XMP),
            (packed_xmp(b"Zo\xeb"), "xmp", b"Zo\xeb"),
            (png_chunk(b"iTXt", png.XMP_KEYWORD + b"\0\0\0\0\0" + XMP), "xmp", XMP),
            (png_chunk(b"eXIf", exif_of(1)), "exif", exif_of(1)),
            (png_chunk(b"iCCP", b"n\0\0" + zlib.compress(LONG_ICC)), "icc", LONG_ICC),
            (raw("icc", LONG_ICC), "icc", LONG_ICC),
            (packed_xmp(LONG_XMP), "xmp", LONG_XMP),
            (raw("xmp", LONG_XMP), "xmp", LONG_XMP),
        ],
    )
    @pytest.mark.parametrize("is_behind", [False, True])
    def test_metadata_in_every_kind_of_chunk_are_kept(
        self, chunk: bytes, field: str, value: bytes, is_behind: bool
    ) -> None:
        picture = image.load(PLAIN[:-12] + chunk + PLAIN[-12:] if is_behind else with_chunk(PLAIN, chunk))
        assert getattr(picture, field) == value
        assert picture.notes == []
        assert np.array_equal(picture.pixels, colours())

    @pytest.mark.parametrize(
        ("chunk", "note"),
        [
            (raw("iptc", b"\x1c\2\x19\0\1a"), "its IPTC record was left out"),
            (raw("iptc", b"8BIM\4\4\0\0\0\0\0\2ab"), "its IPTC record was left out"),
            (raw("8bim", b"8BIM\7\xd0\0\0\0\0\0\2ab"), "its Photoshop resources were left out"),
            (raw("other", b"a"), "its PNG text chunks were left out"),
            (png_chunk(b"tEXt", b"Title\0t"), "its PNG text chunks were left out"),
            (
                png_chunk(b"iCCP", b"n\0\0" + zlib.compress(SRGB)[:-9]),
                "its ICC profile cannot be read and was left out",
            ),
            (png_chunk(b"iCCP", b"n\0\0nothing"), "its ICC profile cannot be read and was left out"),
            (
                png_chunk(b"iCCP", b"n\0\0" + zlib.compress(SRGB), crc=0),
                "its ICC profile cannot be read and was left out",
            ),
            (
                png_chunk(b"iCCP", b"n\0\0" + zlib.compress(bytes(2**26))),
                "its ICC profile cannot be read and was left out",
            ),
            (png_chunk(b"iCCP", b"n\0\0" + zlib.compress(SRGB[:300])), icc.NOT_WHOLE),
            (png_chunk(b"zTXt", b"Raw profile type icc\0\0" + zlib.compress(b"\nicc\n 4\nabzz")),) * 1
            + ("its ICC profile cannot be read and was left out",),
            (png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n99\nab")),) * 1
            + ("its EXIF cannot be read and was left out",),
            (png_chunk(b"eXIf", exif_of(1), crc=0), "its EXIF cannot be read and was left out"),
            (png_chunk(b"tIME", bytes(7)), "its chunk tIME was left out"),
            (png_chunk(b"oFFs", bytes(9)), "its chunk oFFs was left out"),
            (png_chunk(b"sBIT", bytes([5, 6, 5])), "its number of significant bits was left out"),
            (packed_xmp(XMP) + packed_xmp(b"<b/>"), "only the first of its XMP packets is kept"),
            (packed_xmp(XMP) + raw("xmp", b"<b/>"), "only the first of its XMP packets is kept"),
            (raw("exif", exif_of(1)) + raw("exif", exif_of(1, ">")), "only the first of its EXIF blocks is kept"),
            (
                png_chunk(b"eXIf", exif_of(1)) + raw("exif", exif_of(1, ">")),
                "only the first of its EXIF blocks is kept",
            ),
            (png_chunk(b"cICP", bytes([1, 13, 0, 0])),) * 1
            + ("its samples are of limited range (cICP), but are taken as full range",),
            (png_chunk(b"caBX", bytes(7)), "its content credentials were left out"),
            (png_chunk(b"pHYs", b"\0\0\0\2\0\0\0\1\0"), "its pixel aspect ratio was left out"),
            (png_chunk(b"cICP", bytes([9, 16, 0, 1])), "its colours are HDR (PQ), but are taken as sRGB"),
            (png_chunk(b"cICP", bytes([9, 18, 0, 1])), "its colours are HDR (HLG), but are taken as sRGB"),
        ],
    )
    def test_what_is_not_kept_is_said(self, chunk: bytes, note: str) -> None:
        picture = image.load(with_chunk(PLAIN, chunk))
        assert picture.notes == [note]
        assert np.array_equal(picture.pixels, colours())

    @pytest.mark.parametrize("is_gray", [False, True])
    def test_colours_by_number_become_a_profile(self, is_gray: bool) -> None:
        source = Image.fromarray(colours()[..., 0] if is_gray else colours())
        picture = image.load(with_chunk(file_of(source), png_chunk(b"cICP", bytes([12, 13, 0, 1]))))
        assert picture.notes == []
        assert picture.icc is not None
        assert icc.space(picture.icc) == ("GRAY" if is_gray else "RGB")
        assert b"Display P3".decode().encode("utf-16-be") in picture.icc

    @pytest.mark.parametrize(
        "chunk",
        [
            png_chunk(b"sBIT", bytes([8, 8, 8])),
            packed_xmp(XMP) * 2,
            packed_xmp(XMP) + raw("xmp", XMP),
            png_chunk(b"eXIf", exif_of(1)) + raw("exif", exif_of(1)),
        ],
    )
    def test_what_is_said_twice_or_says_nothing_is_no_loss(self, chunk: bytes) -> None:
        assert image.load(with_chunk(PLAIN, chunk)).notes == []

    def test_bytes_behind_the_end_are_said(self) -> None:
        assert image.load(PLAIN + b"secret").notes == ["its data behind the picture was left out"]
        assert image.load(PLAIN + bytes(9)).notes == []

    def test_a_pil_image_says_what_its_file_says(self) -> None:
        file = with_chunk(with_chunk(PLAIN, raw("icc", SRGB)), png_chunk(b"tEXt", b"Title\0t"))
        for is_loaded in (False, True):
            opened = Image.open(io.BytesIO(file))
            if is_loaded:
                opened.load()
            picture = image.load(opened)
            assert (picture.icc, picture.notes) == (SRGB, ["its PNG text chunks were left out"])


class TestWriting:
    def test_long_xmp_is_written_so_that_pillow_opens_it(self) -> None:
        data, notes = image.encode(Picture(colours(), xmp=LONG_XMP), "PNG")
        assert notes == []
        assert Image.open(io.BytesIO(data)).info["xmp"] == LONG_XMP

    def test_a_profile_that_pillow_would_not_open_is_left_out_with_a_word(self) -> None:
        data, notes = image.encode(Picture(colours(), icc=LONG_ICC), "PNG")
        assert [note.split(" makes")[0] for note in notes] == ["its ICC profile of more than 1 MiB"]
        opened = Image.open(io.BytesIO(data))
        opened.load()
        assert "icc_profile" not in opened.info
        for format in ("JPEG", "WEBP", "TIFF"):
            data, notes = image.encode(Picture(colours(), icc=LONG_ICC), format)
            assert (image.load(data).icc, notes) == (LONG_ICC, [])


@given(
    st.binary(max_size=60), st.sampled_from([b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"cICP", b"cHRM", b"pHYs"])
)
def test_any_bytes_in_a_chunk_leave_the_picture(data: bytes, kind: bytes) -> None:
    for body in (data, b"Raw profile type icc\0" + data, png.XMP_KEYWORD + b"\0" + data):
        assert np.array_equal(image.load(with_chunk(PLAIN, png_chunk(kind, body))).pixels, colours())


@pytest.mark.parametrize("has_profile", [False, True])
def test_hdr_is_said_beside_a_profile_too(has_profile: bool) -> None:
    data = with_chunk(file_of(Image.fromarray(colours())), png_chunk(b"cICP", bytes([9, 16, 0, 1])))
    if has_profile:
        data = with_chunk(data, png_chunk(b"iCCP", b"x\0\0" + zlib.compress(SRGB)))
    picture = image.load(data)
    assert (picture.icc == SRGB) == has_profile
    (note,) = picture.notes
    assert "HDR" in note


def test_a_decoded_image_says_that_its_colours_are_not_srgb() -> None:
    for gamma, count in ((100000, 1), (45455, 0)):
        data = with_chunk(file_of(Image.fromarray(colours())), png_chunk(b"gAMA", struct.pack(">I", gamma)))
        opened = Image.open(io.BytesIO(data))
        opened.load()
        note = "its colours are not sRGB, but are taken as such, for it has no ICC profile"
        assert image.load(opened).notes == image.load(data).notes == [note] * count
