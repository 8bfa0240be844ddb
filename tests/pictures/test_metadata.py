"""Orientation, profiles, EXIF, XMP and density: what is kept of every kind of file, and what is said of the rest."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import KEEPS_METADATA, LOSSLESS, SRGB, XMP, colours, exif_of, file_of, png_chunk, with_chunk
from PIL import Image, ImageOps

from imgcodec.pictures import exif as exif_block
from imgcodec.pictures import io as image
from imgcodec.pictures.exif import PREFIX, of_density
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import strip


class TestOrientation:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
    def test_orientation_is_applied_once_and_removed_from_exif(self, format: str, orientation: int, order: str) -> None:
        exif = exif_of(orientation, order)
        data = file_of(Image.fromarray(colours()), format, exif=PREFIX + exif, **LOSSLESS[format])
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        picture = image.load(data)
        assert np.array_equal(picture.pixels, upright)
        assert picture.exif == exif_of(1, order)
        again = image.load(image.encode(picture, "PNG")[0])
        assert np.array_equal(again.pixels, upright)
        assert again.exif == picture.exif

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation_of_a_tiff_is_applied_once(self, orientation: int) -> None:
        data = file_of(Image.fromarray(colours()), "TIFF", tiffinfo={274: orientation})
        with Image.open(io.BytesIO(data)) as opened:
            upright = np.asarray(ImageOps.exif_transpose(opened))
        picture = image.load(data)
        assert np.array_equal(picture.pixels, upright)
        assert exif_block.orientation(picture.exif) in (None, 1)

    def test_orientation_turns_alpha_too(self) -> None:
        samples = np.dstack([colours(), colours()[..., 0]])
        picture = image.load(file_of(Image.fromarray(samples), exif=exif_of(6)))
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, picture.pixels[..., 0])

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_the_thumbnail_of_a_turned_picture_is_removed(self, order: str) -> None:
        """A thumbnail is not turned, so that of a turned picture goes, and that of an upright one stays."""
        exif, thumbnail = Image.Exif(), b"\xff\xd8thumbnail\xff\xd9"
        exif.endian = order
        for orientation in (1, 6):
            exif[0x0112] = orientation
            block = bytearray(exif.tobytes().removeprefix(PREFIX))
            end = 8 + 2 + 12 * len(exif)
            block[end : end + 4] = struct.pack(order + "I", len(block))
            entries = ((0x0201, 4, 1, len(block) + 2 + 24 + 4), (0x0202, 4, 1, len(thumbnail)))
            block += struct.pack(order + "H", 2)
            block += b"".join(struct.pack(order + "HHII", *entry) for entry in entries) + bytes(4) + thumbnail
            picture = image.load(file_of(Image.fromarray(colours()), exif=bytes(block)))
            assert picture.exif is not None
            assert exif_block.orientation(picture.exif) == 1
            assert picture.exif == bytes(block) if orientation == 1 else len(picture.exif) == len(block)
            assert (thumbnail in picture.exif) == any(picture.exif[end : end + 4]) == (orientation == 1)

    def test_orientation_in_xmp_is_corrected(self) -> None:
        turned = XMP.replace(b'"1"', b'"6"')
        data = file_of(Image.fromarray(colours()), "WEBP", exif=exif_of(6), xmp=turned)
        assert image.load(data).xmp == XMP

    @pytest.mark.parametrize("format", KEEPS_METADATA)
    def test_orientation_of_xmp_counts_where_exif_has_none(self, format: str) -> None:
        data, _ = image.encode(Picture(colours(), xmp=XMP.replace(b'"1"', b'"6"')), format)
        picture = image.load(data)
        with Image.open(io.BytesIO(data)) as opened:
            assert picture.width == ImageOps.exif_transpose(opened).width == 11
        assert picture.xmp is not None
        assert b'"6"' not in picture.xmp

    def test_orientation_of_exif_counts_before_that_of_xmp(self) -> None:
        data, _ = image.encode(Picture(colours(), exif=exif_of(1), xmp=XMP.replace(b'"1"', b'"6"')), "PNG")
        picture = image.load(data)
        assert (picture.width, picture.xmp) == (19, XMP)


class TestMetadata:
    @pytest.mark.parametrize("format", KEEPS_METADATA)
    def test_icc_exif_and_xmp_survive_every_format(self, format: str) -> None:
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
        data, _ = image.encode(Picture(colours(), exif=exif.tobytes().removeprefix(PREFIX)), "TIFF")
        assert "© Zoë".encode() in data
        again = image.load(data)
        assert "© Zoë".encode() in (again.exif or b"")

    def test_ppm_notes_what_it_leaves_out(self) -> None:
        _, notes = image.encode(Picture(colours(), np.zeros((11, 19), np.uint8), icc=SRGB), "PPM")
        assert len(notes) == 2

    def test_exif_too_long_for_jpeg_is_left_out_with_a_note(self) -> None:
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
    def test_metadata_on_which_pillow_fails_do_not_stop_a_png(self, chunk: bytes) -> None:
        picture = image.load(with_chunk(file_of(Image.fromarray(colours())), chunk))
        assert np.array_equal(picture.pixels, colours())

    def test_only_the_kind_of_metadata_on_which_pillow_fails_is_left_out(self) -> None:
        short = png_chunk(b"gAMA", b"\0")
        png = with_chunk(file_of(Image.fromarray(colours()), exif=exif_of(6), icc_profile=SRGB), short)
        picture = image.load(png)
        assert (picture.width, picture.exif, picture.icc) == (11, exif_of(1), SRGB)
        assert picture.notes == ["its metadata of the kind 'gAMA' cannot be read and was left out"]

    def test_metadata_on_which_pillow_fails_do_not_stop_a_jpeg(self) -> None:
        jpeg = file_of(Image.fromarray(colours()), "JPEG", quality=100, subsampling=0, comment="c")
        segment = b"\xff\xe1" + struct.pack(">H", 2 + 6 + 20) + PREFIX + b"II*\0" + b"\xff" * 16
        picture = image.load(jpeg[:2] + segment + jpeg[2:])
        assert np.array_equal(picture.pixels, image.load(jpeg).pixels)

    def test_strip_removes_exif_xmp_and_density(self) -> None:
        picture = Picture(colours(), colours()[..., 0], SRGB, exif_of(1), XMP, density=(11811, 11811))
        bare = strip(picture)
        assert (bare.icc, bare.exif, bare.xmp, bare.density) == (SRGB, None, None, None)
        assert bare.alpha is picture.alpha

    def test_text_and_comments_are_noted_without_quoting_them(self) -> None:
        text = png_chunk(b"tEXt", b"Title\0\x1b[2J")
        assert image.load(with_chunk(file_of(Image.fromarray(colours())), text)).notes == [
            "its PNG text chunks were left out"
        ]
        picture = image.load(file_of(Image.fromarray(colours()), "JPEG", comment="\x1b[2J"))
        assert picture.notes == ["its comment was left out"]

    @pytest.mark.parametrize(
        "chunk",
        [
            png_chunk(b"gAMA", struct.pack(">I", 100000)),
            png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
        ],
    )
    def test_colours_other_than_srgb_without_a_profile_are_noted(self, chunk: bytes) -> None:
        png = file_of(Image.fromarray(colours()))
        (note,) = image.load(with_chunk(png, chunk)).notes
        assert note.startswith("its colours are not sRGB")
        assert image.load(with_chunk(file_of(Image.fromarray(colours()), icc_profile=SRGB), chunk)).notes == []
        assert image.load(with_chunk(png, png_chunk(b"gAMA", struct.pack(">I", 45455)))).notes == []

    def test_metadata_over_the_limit_are_left_out_with_a_note(self) -> None:
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
            upright = exif_block.upright(exif)
            assert len(upright) == len(exif)
            assert exif_block.orientation(upright) in (None, 1)
            assert len(exif_block.resized(exif, (70000, 11), are_axes_exchanged=True)) == len(exif)


class TestDensity:
    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("density", [(2835, 2835), (11811, 5906)])
    def test_density_survives_every_format(self, format: str, density: tuple[int, int]) -> None:
        data, notes = image.encode(Picture(colours(), density=density), format)
        assert notes == []
        assert image.load(data).density == density

    @settings(max_examples=30)
    @given(st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)))
    def test_density_of_a_png_is_exact(self, density: tuple[int, int]) -> None:
        assert image.load(image.encode(Picture(colours(), density=density), "PNG")[0]).density == density

    def test_density_of_bmp_and_of_jpeg_in_centimetres(self) -> None:
        assert image.load(file_of(Image.fromarray(colours()), "BMP", dpi=(300, 300))).density == (11811, 11811)
        jpeg = bytearray(file_of(Image.fromarray(colours()), "JPEG", dpi=(118, 118)))
        jpeg[13] = 2  # JFIF's unit
        assert image.load(bytes(jpeg)).density == (11800, 11800)

    def test_density_of_exif_counts_where_the_file_has_none(self) -> None:
        exif = of_density((11811, 5906))
        for format in ("WEBP", "PNG"):
            assert image.load(file_of(Image.fromarray(colours()), format, exif=exif)).density == (11811, 5906)
        jpeg = file_of(Image.fromarray(colours()), "JPEG", exif=exif)
        assert image.load(jpeg).density == (11811, 5906)
        assert image.load(file_of(Image.fromarray(colours()), "JPEG", exif=exif_of(1))).density is None

    def test_density_turns_with_the_picture(self) -> None:
        exif = PREFIX + exif_of(6)
        assert image.load(file_of(Image.fromarray(colours()), "JPEG", exif=exif, dpi=(72, 144))).density == (5669, 2835)

    def test_density_that_a_format_cannot_state_is_left_out_with_a_note(self) -> None:
        for format, picture in (
            ("WEBP", Picture(colours(), exif=exif_of(1), density=(2835, 2835))),
            ("JPEG", Picture(colours(), density=(2**32 - 1, 1))),
        ):
            data, notes = image.encode(picture, format)
            assert ["density" in note for note in notes] == [True]
            assert image.load(data).exif == picture.exif

    @pytest.mark.parametrize("dpi", [None, 72, (float("nan"), 72), (float("inf"), 72), (0, 0), ("a", "b"), (1e9, 1e9)])
    def test_invalid_densities_are_none(self, dpi: object) -> None:
        source = Image.fromarray(colours())
        source.info["dpi"] = dpi
        assert image.load(source).density is None
