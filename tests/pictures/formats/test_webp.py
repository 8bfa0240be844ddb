"""WebP: chunks that the header does not announce are kept, others and what is behind the file are said."""

import struct

import numpy as np
import pytest
from made_pictures import LOSSLESS, SRGB, XMP, colours, exif_of, file_of
from PIL import Image

from imgcodec.pictures import io as image

FULL = file_of(Image.fromarray(colours()), "WEBP", icc_profile=SRGB, exif=exif_of(1), xmp=XMP, **LOSSLESS["WEBP"])


def with_body(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def test_metadata_that_the_header_does_not_announce_are_kept() -> None:
    picture = image.load(FULL[:20] + b"\0" + FULL[21:])
    assert (picture.icc, picture.exif, picture.xmp, picture.notes) == (SRGB, exif_of(1), XMP, [])


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        (with_body(FULL[12:] + b"MYCK\4\0\0\0abcd"), ["its chunk MYCK was left out"]),
        (FULL + b"behind", ["its data behind the picture was left out"]),
        (FULL + b"\0\0\0\x18ftypmp42", ["its video was left out"]),
        (FULL + bytes(8), []),
        (with_body(FULL[12:] + b"XMP \4\0\0\0<b/>"), ["only the first of its XMP packets is kept"]),
    ],
)
def test_other_chunks_and_what_is_behind_are_said(data: bytes, notes: list[str]) -> None:
    picture = image.load(data)
    assert (picture.icc, picture.exif, picture.notes) == (SRGB, exif_of(1), notes)
    assert np.array_equal(picture.pixels, colours())
