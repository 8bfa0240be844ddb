"""Chunks of PNG, JPEG and WebP files: together they are the file, and without metadata the picture is the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import SRGB, XMP, colours, exif_of, file_of
from PIL import Image

from imgcodec.pictures import chunks
from imgcodec.pictures import io as image
from imgcodec.pictures.picture import Picture


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_the_parts_have_the_names_of_the_format_and_make_up_the_file(format: str) -> None:
    data, _ = image.encode(Picture(colours(), icc=SRGB, exif=exif_of(1), xmp=XMP), format)
    found = chunks.parts(data)
    assert b"".join(part for _, part in found) == data
    names = {"PNG": {"IHDR", "iCCP", "eXIf", "IDAT"}, "JPEG": {"APP1", "APP2", "SOS"}, "WEBP": {"VP8X", "EXIF", "XMP "}}
    assert names[format] <= {name for name, _ in found}


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF"])
def test_other_files_have_no_parts(format: str) -> None:
    assert chunks.parts(file_of(Image.fromarray(colours()), format)) == []
    assert chunks.parts(b"") == []


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_parts_of_a_cut_file_are_a_beginning_of_it_or_none(format: str) -> None:
    data, _ = image.encode(Picture(colours(), icc=SRGB), format)
    for length in range(len(data)):
        assert data[:length].startswith(b"".join(part for _, part in chunks.parts(data[:length])))
    assert chunks.parts(data[:11]) == []


def test_what_the_picture_is_decoded_from_is_no_metadata() -> None:
    for name in ("IHDR", "PLTE", "IDAT", "tRNS", "APP0", "APP14", "SOS", "C0", "VP8X", "VP8 ", "ALPH"):
        assert not chunks.is_metadata(name), name
    for name in ("iCCP", "eXIf", "tEXt", "pHYs", "APP1", "APP13", "COM", "EXIF", "XMP ", "ICCP"):
        assert chunks.is_metadata(name), name


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_chunks_of_metadata_can_be_removed_from_a_file(format: str) -> None:
    data, _ = image.encode(Picture(colours(), icc=SRGB, exif=exif_of(1), xmp=XMP), format)
    parts = chunks.parts(data)
    assert b"".join(part for _, part in parts) == data
    picture = image.load(chunks.without(parts, {name for name, _ in parts if chunks.is_metadata(name)}))
    assert (picture.icc, picture.exif, picture.xmp, picture.notes) == (None, None, None, [])
    assert np.array_equal(picture.pixels, image.load(data).pixels)


@given(st.binary(max_size=80), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"RIFF\0\0\0\0WEBP", b""]))
def test_removing_chunks_from_any_bytes_ends(data: bytes, start: bytes) -> None:
    parts = chunks.parts(start + data)
    if parts:
        chunks.without(parts, {name for name, _ in parts[1:]})
