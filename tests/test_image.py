"""Pictures in and out: every mode, orientation and piece of metadata, and what damaged and hostile files do."""

import io
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from imgcodec import chunks, extended_xmp, image, metadata
from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.header import ColourMode, Header, Profile, Tune
from imgcodec.image import Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="1" dc:title="t"/></x:xmpmeta>'
LOSSLESS = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True, "exact": True}}
KEEPS_METADATA = ("PNG", "JPEG", "WEBP", "TIFF")


def colours(width: int = 19, height: int = 11) -> np.ndarray:
    """Every pixel another colour, so that any exchange of places shows."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 13, y * 23, (x + y) * 7], axis=2).astype(np.uint8)


def file_of(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def exif_of(orientation: int, order: str = "<") -> bytes:
    """An EXIF block with a maker, an orientation and a maker's note at an offset."""
    maker = b"Maker\0"
    entries = [
        (0x010F, 2, len(maker), 8 + 2 + 3 * 12 + 4),
        (0x0112, 3, 1, orientation << (16 if order == ">" else 0)),
        (0x8769, 4, 1, 8 + 2 + 3 * 12 + 4 + len(maker)),
    ]
    directory = struct.pack(order + "H", 3) + b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    sub = struct.pack(order + "H", 1) + struct.pack(order + "HHII", 0x8827, 3, 1, 200 << (16 if order == ">" else 0))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8) + directory + bytes(4) + maker + sub + bytes(4)


def png_chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def with_chunk(png: bytes, chunk: bytes) -> bytes:
    """A PNG with a chunk put behind its header."""
    return png[:33] + chunk + png[33:]


class TestModes:
    def test_rgb_is_taken_as_it_is(self) -> None:
        picture = image.load(file_of(Image.fromarray(colours())))
        assert np.array_equal(picture.pixels, colours())
        assert (picture.width, picture.height, picture.gray, picture.alpha, picture.notes) == (19, 11, False, None, [])

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "La", "RGBa", "CMYK", "YCbCr", "HSV", "RGBX"])
    def test_every_mode_of_pillow_becomes_rgb(self, mode: str) -> None:
        source = Image.fromarray(colours())
        source = (
            source.convert("RGBA").convert(mode)
            if mode == "RGBa"
            else source.convert(mode[:1] + "A").convert(mode)
            if mode == "La"
            else source.convert(mode)
        )
        picture = image.load(source)
        straight = source.convert(mode.upper()) if mode.endswith("a") else source
        assert np.array_equal(picture.pixels, np.asarray(straight.convert("RGB")))
        assert picture.gray == (mode in ("1", "L", "LA", "La"))
        assert (picture.alpha is not None) == ("A" in mode or "a" in mode)

    def test_hidden_colours_under_transparency_are_kept(self) -> None:
        samples = np.dstack([colours(), np.zeros((11, 19), np.uint8)])
        picture = image.load(file_of(Image.fromarray(samples)))
        assert np.array_equal(picture.pixels, colours())
        assert picture.alpha is not None
        assert not picture.alpha.any()

    def test_colour_key_becomes_alpha(self) -> None:
        source = Image.fromarray(colours())
        picture = image.load(file_of(source, transparency=(13, 23, 14)))
        assert picture.alpha is not None
        assert [tuple(place) for place in np.argwhere(picture.alpha == 0)] == [(1, 1)]

    def test_gray_of_16_bits_is_rounded_and_noted(self) -> None:
        wide = np.array([[0, 128, 129, 257 * 3, 65535]], np.uint16)
        picture = image.load(file_of(Image.fromarray(wide)))
        assert picture.pixels[0, :, 0].tolist() == [0, 0, 1, 3, 255]
        assert picture.gray
        assert picture.notes == ["its 16 bits a sample are reduced to 8"]

    def test_rgb_of_16_bits_is_noted_though_pillow_says_nothing(self) -> None:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours().astype(np.uint16) * 257)
        header = struct.pack(">IIBBBBB", 19, 11, 16, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        picture = image.load(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))
        assert picture.notes == ["its 16 bits a sample are reduced to 8"]
        assert np.array_equal(picture.pixels, colours())

    def test_colour_key_of_16_bits(self) -> None:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours().astype(np.uint16) * 257)
        header, key = struct.pack(">IIBBBBB", 19, 11, 16, 2, 0, 0, 0), struct.pack(">HHH", 13 * 257, 23 * 257, 14 * 257)
        chunks = [(b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        picture = image.load(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))
        assert picture.alpha is not None
        assert [tuple(place) for place in np.argwhere(picture.alpha == 0)] == [(1, 1)]

    @pytest.mark.parametrize("head", [b"P6 2 1 65535\n", b"P6 #c\n2 1\n#d\n65535\n"])
    def test_ppm_of_16_bits_is_noted(self, head: bytes) -> None:
        picture = image.load(head + np.arange(6, dtype=">u2").tobytes())
        assert picture.notes == ["its 16 bits a sample are reduced to 8"]

    @pytest.mark.parametrize("mode", ["F", "I"])
    def test_samples_without_a_range_are_refused(self, mode: str) -> None:
        with pytest.raises(InvalidFileError, match="convert"):
            image.load(file_of(Image.new(mode, (3, 3), 70000), "TIFF"))

    def test_cmyk_goes_to_srgb_and_says_so(self) -> None:
        source = Image.fromarray(colours()).convert("CMYK")
        picture = image.load(file_of(source, "TIFF"))
        assert picture.icc is None
        assert picture.notes == ["its CMYK is converted to sRGB by formula, for want of a profile"]

    def test_lab_goes_to_srgb(self) -> None:
        source = Image.fromarray(colours(64, 64) // 4 + 90)
        lab = ImageCms.profileToProfile(
            source, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert lab is not None
        picture = image.load(file_of(lab, "TIFF"))
        assert picture.notes == ["its LAB is converted to sRGB"]
        assert np.abs(picture.pixels.astype(int) - np.asarray(source)).max() <= 8

    @pytest.mark.parametrize(("format", "several"), [("GIF", "frames"), ("WEBP", "frames"), ("TIFF", "pictures")])
    def test_first_of_several_is_kept_with_a_note(self, format: str, several: str) -> None:
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
        data = file_of(
            frames[0],
            format,
            save_all=True,
            append_images=frames[1:],
            **({"lossless": True} if format == "WEBP" else {}),
        )
        picture = image.load(data)
        assert picture.pixels[0, 0].tolist() == [255, 0, 0]
        assert picture.notes == [f"only the first of its {several} is kept"]


class TestOrientation:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
    def test_is_applied_once_and_gone_from_what_is_kept(self, format: str, orientation: int, order: str) -> None:
        exif = exif_of(orientation, order)
        data = file_of(Image.fromarray(colours()), format, exif=metadata.EXIF_PREFIX + exif, **LOSSLESS[format])
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        picture = image.load(data)
        assert np.array_equal(picture.pixels, upright)
        assert picture.exif == exif_of(1, order)
        again = image.load(image.encode(picture, "PNG")[0])
        assert np.array_equal(again.pixels, upright)
        assert again.exif == picture.exif

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_of_tiff_is_applied_once(self, orientation: int) -> None:
        data = file_of(Image.fromarray(colours()), "TIFF", tiffinfo={274: orientation})
        with Image.open(io.BytesIO(data)) as opened:
            upright = np.asarray(ImageOps.exif_transpose(opened))
        picture = image.load(data)
        assert np.array_equal(picture.pixels, upright)
        assert metadata.orientation(picture.exif, picture.xmp) == 1

    def test_turns_alpha_too(self) -> None:
        samples = np.dstack([colours(), colours()[..., 0]])
        picture = image.load(file_of(Image.fromarray(samples), exif=exif_of(6)))
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, picture.pixels[..., 0])

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_takes_the_thumbnail_along_or_away(self, order: str) -> None:
        """A thumbnail is not turned, so that of a turned picture goes, and that of an upright one stays."""
        exif, thumbnail = Image.Exif(), b"\xff\xd8thumbnail\xff\xd9"
        exif.endian = order
        for orientation in (1, 6):
            exif[0x0112] = orientation
            block = bytearray(exif.tobytes().removeprefix(metadata.EXIF_PREFIX))
            end = 8 + 2 + 12 * len(exif)
            block[end : end + 4] = struct.pack(order + "I", len(block))
            entries = ((0x0201, 4, 1, len(block) + 2 + 24 + 4), (0x0202, 4, 1, len(thumbnail)))
            block += struct.pack(order + "H", 2)
            block += b"".join(struct.pack(order + "HHII", *entry) for entry in entries) + bytes(4) + thumbnail
            picture = image.load(file_of(Image.fromarray(colours()), exif=bytes(block)))
            assert picture.exif is not None
            assert metadata.orientation(picture.exif, None) == 1
            assert picture.exif == bytes(block) if orientation == 1 else len(picture.exif) == len(block)
            assert (thumbnail in picture.exif) == any(picture.exif[end : end + 4]) == (orientation == 1)

    def test_is_corrected_in_xmp(self) -> None:
        turned = XMP.replace(b'"1"', b'"6"')
        data = file_of(Image.fromarray(colours()), "WEBP", exif=exif_of(6), xmp=turned)
        assert image.load(data).xmp == XMP

    @pytest.mark.parametrize("format", KEEPS_METADATA)
    def test_of_xmp_counts_where_exif_does_not_say(self, format: str) -> None:
        data, _ = image.encode(Picture(colours(), xmp=XMP.replace(b'"1"', b'"6"')), format)
        picture = image.load(data)
        with Image.open(io.BytesIO(data)) as opened:
            assert picture.width == ImageOps.exif_transpose(opened).width == 11
        assert picture.xmp is not None
        assert b'"6"' not in picture.xmp

    def test_of_exif_counts_where_xmp_says_another(self) -> None:
        data, _ = image.encode(Picture(colours(), exif=exif_of(1), xmp=XMP.replace(b'"1"', b'"6"')), "PNG")
        picture = image.load(data)
        assert (picture.width, picture.xmp) == (19, XMP)


class TestMetadata:
    @pytest.mark.parametrize("format", KEEPS_METADATA)
    def test_icc_exif_and_xmp_come_back(self, format: str) -> None:
        picture = Picture(colours(), icc=SRGB, exif=exif_of(1), xmp=XMP)
        data, notes = image.encode(picture, format)
        again = image.load(data)
        assert notes == []
        assert again.notes == []
        assert again.icc == SRGB
        assert again.xmp == XMP
        kept = Image.Exif()
        kept.load(again.exif or b"")
        assert kept[0x010F] == "Maker"
        assert kept.get_ifd(0x8769) == {0x8827: 200}
        if format != "TIFF":  # there, EXIF is written anew as tags of the file
            assert again.exif == picture.exif

    def test_text_of_exif_need_not_be_ascii(self) -> None:
        exif = Image.Exif()
        exif[0x8298] = "© Zoë".encode()
        data, _ = image.encode(Picture(colours(), exif=exif.tobytes().removeprefix(metadata.EXIF_PREFIX)), "TIFF")
        assert "© Zoë".encode() in data
        again = image.load(data)
        assert "© Zoë".encode() in (again.exif or b"")

    def test_ppm_says_what_it_leaves_out(self) -> None:
        _, notes = image.encode(Picture(colours(), np.zeros((11, 19), np.uint8), icc=SRGB), "PPM")
        assert len(notes) == 2

    def test_too_long_for_jpeg_is_left_out_and_said(self) -> None:
        data, notes = image.encode(Picture(colours(), exif=exif_of(1) + bytes(70000)), "JPEG")
        assert notes == ["its EXIF is too long for a JPEG and was left out"]
        assert image.load(data).width == 19

    def test_profile_of_another_space_is_not_kept(self) -> None:
        picture = image.load(file_of(Image.fromarray(colours()[..., 0]), icc_profile=SRGB))
        assert picture.icc is None
        assert picture.notes == ["its ICC profile is of another colour space and was left out"]

    def test_exif_without_byte_order_is_left_out(self) -> None:
        png = with_chunk(file_of(Image.fromarray(colours())), png_chunk(b"eXIf", b"no exif at all"))
        picture = image.load(png)
        assert (picture.exif, picture.notes) == (None, ["its EXIF is not valid and was left out"])

    def test_exif_in_the_text_of_a_png(self) -> None:
        text = f"\nexif\n{len(exif_of(6)):8}\n{exif_of(6).hex()}\n"
        chunk = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text.encode()))
        picture = image.load(with_chunk(file_of(Image.fromarray(colours())), chunk))
        assert (picture.width, picture.exif) == (11, exif_of(1))

    @pytest.mark.parametrize(
        "chunk",
        [
            png_chunk(b"eXIf", exif_of(6), crc=0),
            png_chunk(b"iCCP", b"name\0\1nothing"),
            png_chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(2**22))),
            png_chunk(b"zTXt", b"name\0\0" + zlib.compress(bytes(2**24))),
            png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\nnot hexadecimal")),
            png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0garbage"),
            png_chunk(b"pHYs", b"\0"),
        ],
        ids=["checksum", "icc method", "icc bomb", "text bomb", "raw profile", "xmp", "density"],
    )
    def test_that_make_pillow_raise_do_not_stop_a_png(self, chunk: bytes) -> None:
        picture = image.load(with_chunk(file_of(Image.fromarray(colours())), chunk))
        assert np.array_equal(picture.pixels, colours())

    def test_the_others_are_kept_where_one_kind_makes_pillow_raise(self) -> None:
        bomb = png_chunk(b"zTXt", b"name\0\0" + zlib.compress(bytes(2**24)))
        png = with_chunk(file_of(Image.fromarray(colours()), exif=exif_of(6), icc_profile=SRGB), bomb)
        picture = image.load(png)
        assert (picture.width, picture.exif, picture.icc) == (11, exif_of(1), SRGB)
        assert picture.notes == ["its metadata of the kind 'zTXt' cannot be read and was left out"]

    def test_that_make_pillow_raise_do_not_stop_a_jpeg(self) -> None:
        jpeg = file_of(Image.fromarray(colours()), "JPEG", quality=100, subsampling=0, comment="c")
        segment = b"\xff\xe1" + struct.pack(">H", 2 + 6 + 20) + metadata.EXIF_PREFIX + b"II*\0" + b"\xff" * 16
        picture = image.load(jpeg[:2] + segment + jpeg[2:])
        assert np.array_equal(picture.pixels, image.load(jpeg).pixels)

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
    def test_can_be_taken_out_of_a_file(self, format: str) -> None:
        data, _ = image.encode(Picture(colours(), icc=SRGB, exif=exif_of(1), xmp=XMP), format)
        parts = chunks.parts(data)
        assert b"".join(part for _, part in parts) == data
        picture = image.load(chunks.without(parts, {name for name, _ in parts if chunks.is_metadata(name)}))
        assert (picture.icc, picture.exif, picture.xmp, picture.notes) == (None, None, None, [])
        assert np.array_equal(picture.pixels, image.load(data).pixels)

    def test_are_left_out_by_strip(self) -> None:
        picture = Picture(colours(), colours()[..., 0], SRGB, exif_of(1), XMP, density=(11811, 11811))
        bare = image.strip(picture)
        assert (bare.icc, bare.exif, bare.xmp, bare.density) == (SRGB, None, None, None)
        assert bare.alpha is picture.alpha

    def test_what_has_no_place_is_said_without_quoting_it(self) -> None:
        text = png_chunk(b"tEXt", b"Title\0\x1b[2J")
        assert image.load(with_chunk(file_of(Image.fromarray(colours())), text)).notes == ["its text was left out"]
        picture = image.load(file_of(Image.fromarray(colours()), "JPEG", comment="\x1b[2J"))
        assert picture.notes == ["its comment was left out"]

    @pytest.mark.parametrize(
        "chunk", [png_chunk(b"gAMA", struct.pack(">I", 100000)), png_chunk(b"cICP", bytes([12, 13, 0, 1]))]
    )
    def test_other_colours_without_a_profile_are_said(self, chunk: bytes) -> None:
        png = file_of(Image.fromarray(colours()))
        (note,) = image.load(with_chunk(png, chunk)).notes
        assert note.startswith("its colours are not sRGB")
        assert image.load(with_chunk(file_of(Image.fromarray(colours()), icc_profile=SRGB), chunk)).notes == []
        assert image.load(with_chunk(png, png_chunk(b"gAMA", struct.pack(">I", 45455)))).notes == []

    def test_over_the_limit_are_left_out_with_a_note(self) -> None:
        exif, xmp = exif_of(6) + bytes(2**24), XMP + b" " * 2**24
        picture = image.load(file_of(Image.fromarray(colours()), "WEBP", exif=exif, xmp=XMP, icc_profile=SRGB))
        assert (picture.exif, picture.width, picture.xmp, picture.icc) == (None, 11, XMP, SRGB)
        assert picture.notes == ["its EXIF makes more than 15 MiB of metadata and was left out"]
        picture = image.load(file_of(Image.fromarray(colours()), "WEBP", exif=exif_of(6), xmp=xmp, icc_profile=SRGB))
        assert (picture.exif, picture.xmp, picture.icc) == (exif_of(1), None, SRGB)
        picture = image.load(file_of(Image.fromarray(colours()), "WEBP", xmp=XMP, icc_profile=SRGB + bytes(2**24)))
        assert (picture.xmp, picture.icc) == (XMP, None)

    @given(st.binary(max_size=80))
    def test_orientation_of_any_bytes(self, data: bytes) -> None:
        for exif in (data, b"II*\0" + data, exif_of(6)[: len(data)] + data, b"MM\0*\0\0\0\x08" + data):
            assert metadata.orientation(exif, data) in range(1, 9)
            upright = metadata.upright_exif(exif)
            assert len(upright) == len(exif)
            assert metadata.orientation(upright, None) == 1

    @given(st.binary(max_size=80), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"RIFF\0\0\0\0WEBP", b""]))
    def test_taking_them_out_of_any_bytes_ends(self, data: bytes, start: bytes) -> None:
        parts = chunks.parts(start + data)
        if parts:
            chunks.without(parts, {name for name, _ in parts[1:]})


class TestDensity:
    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("density", [(2835, 2835), (11811, 5906)])
    def test_comes_back(self, format: str, density: tuple[int, int]) -> None:
        data, notes = image.encode(Picture(colours(), density=density), format)
        assert notes == []
        assert image.load(data).density == density

    @settings(max_examples=30)
    @given(st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)))
    def test_of_png_is_exact(self, density: tuple[int, int]) -> None:
        assert image.load(image.encode(Picture(colours(), density=density), "PNG")[0]).density == density

    def test_of_bmp_and_of_jpeg_in_centimetres(self) -> None:
        assert image.load(file_of(Image.fromarray(colours()), "BMP", dpi=(300, 300))).density == (11811, 11811)
        jpeg = bytearray(file_of(Image.fromarray(colours()), "JPEG", dpi=(118, 118)))
        jpeg[13] = 2  # JFIF's unit
        assert image.load(bytes(jpeg)).density == (11800, 11800)

    def test_of_exif_counts_where_the_file_says_nothing(self) -> None:
        exif = metadata.exif_of_density((11811, 5906))
        for format in ("WEBP", "PNG"):
            assert image.load(file_of(Image.fromarray(colours()), format, exif=exif)).density == (11811, 5906)
        jpeg = file_of(Image.fromarray(colours()), "JPEG", exif=exif)
        assert image.load(jpeg).density == (11811, 5906)
        assert image.load(file_of(Image.fromarray(colours()), "JPEG", exif=exif_of(1))).density is None

    def test_turns_with_the_picture(self) -> None:
        exif = metadata.EXIF_PREFIX + exif_of(6)
        assert image.load(file_of(Image.fromarray(colours()), "JPEG", exif=exif, dpi=(72, 144))).density == (5669, 2835)

    def test_that_a_format_cannot_state_is_left_out_and_said(self) -> None:
        for format, picture in (
            ("WEBP", Picture(colours(), exif=exif_of(1), density=(2835, 2835))),
            ("JPEG", Picture(colours(), density=(2**32 - 1, 1))),
        ):
            data, notes = image.encode(picture, format)
            assert ["density" in note for note in notes] == [True]
            assert image.load(data).exif == picture.exif

    @pytest.mark.parametrize("dpi", [None, 72, (float("nan"), 72), (float("inf"), 72), (0, 0), ("a", "b"), (1e9, 1e9)])
    def test_that_is_none(self, dpi: object) -> None:
        source = Image.fromarray(colours())
        source.info["dpi"] = dpi
        assert image.load(source).density is None


def extended_jpeg(first: bytes, extended: bytes, name: bytes, order: int = 1) -> bytes:
    """A JPEG with a packet of XMP and an extended one in two segments."""
    half = len(extended) // 2
    parts = [(0, extended[:half]), (half, extended[half:])][::order]
    segments = b""
    for offset, part in parts:
        body = b"http://ns.adobe.com/xmp/extension/\0" + name + struct.pack(">II", len(extended), offset) + part
        segments += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return file_of(Image.fromarray(colours()), "JPEG", xmp=first, extra=segments)


class TestExtendedXMP:
    NAME = b"0123456789ABCDEF" * 2
    HEAD = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    TAIL = b"</rdf:RDF></x:xmpmeta>"
    FIRST = b'<rdf:Description rdf:about="" dc:title="t"%s/>'
    MORE = b'<rdf:Description rdf:about="" xmlns:GDepth="http://ns.google.com/" GDepth:Data="AAAA"/>'

    def first(self, name: bytes = NAME) -> bytes:
        return self.HEAD + self.FIRST % (b' xmpNote:HasExtendedXMP="' + name + b'"') + self.TAIL

    @pytest.mark.parametrize("order", [1, -1])
    def test_is_put_together(self, order: int) -> None:
        picture = image.load(extended_jpeg(self.first(), self.HEAD + self.MORE + self.TAIL, self.NAME, order))
        assert picture.xmp == self.HEAD + self.FIRST % b"" + self.MORE + self.TAIL
        assert picture.notes == []

    @pytest.mark.parametrize(
        "extended",
        [HEAD.replace(b"<rdf:RDF", b'<rdf:RDF xmlns:a="b"') + MORE + TAIL, b"no packet", b""],
        ids=["namespace", "text", "empty"],
    )
    def test_that_cannot_be_joined_is_left_out_and_said(self, extended: bytes) -> None:
        picture = image.load(extended_jpeg(self.first(), extended, self.NAME))
        assert picture.xmp == self.HEAD + self.FIRST % b"" + self.TAIL
        assert picture.notes == ["its extended XMP cannot be read and was left out"]

    def test_of_another_packet_is_not_taken(self) -> None:
        picture = image.load(extended_jpeg(self.first(), self.HEAD + self.MORE + self.TAIL, b"F" * 32))
        assert picture.notes == ["its extended XMP cannot be read and was left out"]

    @pytest.mark.parametrize("size", [70_000, 200_000])
    def test_long_packets_come_back_from_a_jpeg(self, size: int) -> None:
        packet = self.HEAD + b'<rdf:Description dc:title="' + b"t" * size + b'"/>' + self.TAIL
        data, notes = image.encode(Picture(colours(), xmp=packet), "JPEG")
        assert notes == []
        assert image.load(data).xmp == packet

    @pytest.mark.parametrize("unit", [b" ", b"<rdf:RDF", b"<?xpacket ", b" xmpNote:HasExtendedXMP=", b"</rdf:RDF>"])
    def test_of_megabytes_takes_no_time_to_speak_of(self, unit: bytes) -> None:
        """Where a byte is looked at again and again, this takes hours."""
        long = unit * (2**22 // len(unit))
        part = b"http://ns.adobe.com/xmp/extension/\0" + self.NAME + struct.pack(">II", len(long), 0) + long
        for packet in (long, self.first() + long):
            extended_xmp.joined(packet, [("APP1", part)])
            extended_xmp.split(packet)

    @given(st.binary(max_size=100), st.lists(st.binary(max_size=100), max_size=3))
    def test_of_any_bytes(self, first: bytes, parts: list[bytes]) -> None:
        extension = b"http://ns.adobe.com/xmp/extension/\0"
        for packet in (first, self.first() + first):
            extended_xmp.joined(packet, [("APP1", extension + part) for part in parts])
            extended_xmp.joined(packet, [("APP1", extension + self.NAME + part) for part in parts])


class TestBadInput:
    @pytest.mark.parametrize("data", [b"", b"\0", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
    def test_what_is_no_image(self, data: bytes) -> None:
        with pytest.raises(InvalidFileError):
            image.load(data)

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM"])
    @settings(max_examples=30)
    @given(cut=st.floats(0.02, 0.95))
    def test_truncated(self, format: str, cut: float) -> None:
        data = file_of(Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)), format)
        with pytest.raises(InvalidFileError):
            image.load(data[: int(len(data) * cut)])

    @settings(max_examples=100, deadline=None)
    @given(
        format=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "QOI"]),
        place=st.floats(0, 1, exclude_max=True),
        value=st.integers(0, 255),
    )
    def test_one_changed_byte_gives_a_picture_or_an_error_of_ours(self, format: str, place: float, value: int) -> None:
        data = bytearray(file_of(Image.fromarray(colours()), format))
        data[int(place * len(data))] = value
        try:
            picture = image.load(bytes(data), max_pixels=2**20)
        except InvalidFileError:
            return
        assert picture.width * picture.height <= 2**20

    def test_too_many_pixels_are_refused_before_they_are_decoded(self) -> None:
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
        with pytest.raises(InvalidFileError, match="over the limit of 268435456 pixels"):
            image.load(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""))
        extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff\xff\x0f\0"
        with pytest.raises(InvalidFileError, match="16777216 x 4096 pixels is over"):
            image.load(b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended)

    def test_the_limit_is_exact_and_ours(self) -> None:
        data = file_of(Image.new("1", (100, 100)))
        assert image.load(data, max_pixels=10000).width == 100
        with pytest.raises(InvalidFileError):
            image.load(data, max_pixels=9999)

    @pytest.mark.filterwarnings("error")
    def test_pillows_own_limit_neither_warns_nor_stays_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        data = {format: file_of(Image.fromarray(colours(50, 50)), format) for format in ("PNG", "TIFF", "WEBP", "GIF")}
        for format in data:
            assert image.load(data[format]).width == 50
        assert Image.MAX_IMAGE_PIXELS == 10

    def test_several_threads(self) -> None:
        data, limit, widths = file_of(Image.fromarray(colours(300, 200))), Image.MAX_IMAGE_PIXELS, []
        threads = [threading.Thread(target=lambda: widths.append(image.load(data).width)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert widths == [300] * 8
        assert limit == Image.MAX_IMAGE_PIXELS

    def test_paths(self, tmp_path: Path) -> None:
        with pytest.raises(CodecError, match="There is no file"):
            image.load(tmp_path / "none.png")
        with pytest.raises(InvalidFileError, match="is a directory"):
            image.load(tmp_path)

    @pytest.mark.parametrize(
        "array",
        [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros(4, np.uint8), np.zeros((4, 4, 3), np.int8)],
    )
    def test_arrays_of_another_kind(self, array: np.ndarray) -> None:
        with pytest.raises(UsageError, match="uint8"):
            image.load(array)

    @pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0)])
    def test_arrays_without_pixels(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(InvalidFileError, match="no pixels"):
            image.load(np.zeros(shape, np.uint8))

    def test_pil_image_of_a_damaged_file(self) -> None:
        data = file_of(Image.fromarray(colours(64, 64)))
        with pytest.raises(InvalidFileError, match="cannot be decoded"):
            image.load(Image.open(io.BytesIO(data[: len(data) // 2])))


class TestSaving:
    @pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff", ".ppm"])
    @pytest.mark.parametrize("gray", [False, True])
    def test_without_loss(self, suffix: str, gray: bool, tmp_path: Path) -> None:
        pixels = np.repeat(colours()[..., :1], 3, axis=2) if gray else colours()
        image.save(Picture(pixels, gray=gray), tmp_path / f"a{suffix}")
        again = image.load(tmp_path / f"a{suffix}")
        assert np.array_equal(again.pixels, pixels)
        assert again.gray == (gray and suffix != ".webp")

    @pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("gray", [False, True])
    def test_alpha_without_loss(self, format: str, gray: bool) -> None:
        pixels = np.repeat(colours()[..., :1], 3, axis=2) if gray else colours()
        picture = Picture(pixels, colours()[..., 1], gray=gray)
        again = image.load(image.encode(picture, format)[0])
        assert np.array_equal(again.pixels, pixels)
        assert np.array_equal(again.alpha, picture.alpha)

    def test_jpeg_of_noise(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
        assert image.load(image.encode(Picture(noise), "JPEG")[0]).width == 256

    def test_into_a_file_object(self) -> None:
        buffer = io.BytesIO()
        image.save(Picture(colours()), buffer)
        assert np.array_equal(image.load(buffer.getvalue()).pixels, colours())

    def test_unknown_suffix(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"\.png, .*not as '\.xyz'"):
            image.save(Picture(colours()), tmp_path / "a.xyz")
        with pytest.raises(UsageError):
            image.format_of("a")
        assert image.format_of("-") == "PNG"
        assert image.format_of("A.JPEG") == "JPEG"

    def test_too_large_for_the_format(self) -> None:
        with pytest.raises(CodecError, match="cannot be written as WEBP"):
            image.encode(Picture(np.zeros((1, 20000, 3), np.uint8)), "WEBP")

    def test_metadata_that_pillow_cannot_write_do_not_stop_it(self) -> None:
        picture = Picture(colours(), exif=exif_of(1)[:30])
        for format in KEEPS_METADATA:
            assert image.load(image.encode(picture, format)[0]).width == 19


def container_of(picture: Picture) -> container.Container:
    """The container of a file that holds no tokens."""
    header = Header(
        width=picture.width, height=picture.height, colour_mode=image.colour_mode(picture), bit_depth=8,
        profile=Profile.PHOTO, tune=Tune.PSNR, quality=0, tile_size=0, stage_count=0, codebook_id=bytes(8),
    )  # fmt: skip
    return container.read(container.write(header, image.picture_sections(picture)))


class TestSections:
    def test_all_come_back(self) -> None:
        picture = Picture(colours(), colours()[..., 1], SRGB, exif_of(1), XMP, density=(11811, 5906))
        again = image.apply_sections(colours(), container_of(picture))
        assert again.density == (11811, 5906)
        assert np.array_equal(again.alpha, picture.alpha)
        assert (again.icc, again.exif, again.xmp, again.gray) == (SRGB, exif_of(1), XMP, False)
        assert np.array_equal(again.pixels, colours())

    def test_none_are_written_for_a_plain_picture(self) -> None:
        assert image.picture_sections(Picture(colours())) == []
        assert container_of(Picture(colours(), gray=True)).header.colour_mode == ColourMode.GRAY

    def test_density_is_not_said_twice(self) -> None:
        exif = metadata.exif_of_density((2835, 2835))
        for density, sections in (((2835, 2835), 1), ((2834, 2835), 2)):
            picture = Picture(colours(), exif=exif, density=density)
            assert len(image.picture_sections(picture)) == sections
            assert image.apply_sections(colours(), container_of(picture)).density == density

    def test_gray_is_gray_again(self) -> None:
        again = image.apply_sections(colours(), container_of(Picture(colours(), gray=True)))
        assert again.gray
        assert np.array_equal(again.pixels, np.repeat(again.pixels[..., :1], 3, axis=2))
        luma = np.asarray(Image.fromarray(colours()).convert("L")).astype(int)
        assert np.abs(again.pixels[..., 0] - luma).max() <= 1
        assert image.to_pil(again).mode == "L"

    def test_gray_extremes_stay(self) -> None:
        pixels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
        again = image.apply_sections(pixels, container_of(Picture(pixels, gray=True)))
        assert np.array_equal(again.pixels, pixels)

    def test_alpha_of_another_size_is_refused(self) -> None:
        small, large = Picture(colours(), colours()[..., 1]), Picture(colours(20, 11))
        file = container_of(large)
        sections = (*file.sections, *image.picture_sections(small))
        wrong = container.Container(file.header, sections, file.header_size, file.entries)
        with pytest.raises(InvalidFileError, match="alpha"):
            image.apply_sections(large.pixels, wrong)

    def test_damaged_sections_are_refused(self) -> None:
        file = container_of(Picture(colours()))
        for kind in (container.SectionType.ALPHA, container.SectionType.ICC, container.SectionType.EXIF):
            sections = (container.Section(kind, 0, 0, b"garbage"),)
            wrong = container.Container(file.header, sections, file.header_size, file.entries)
            with pytest.raises(InvalidFileError):
                image.apply_sections(colours(), wrong)
