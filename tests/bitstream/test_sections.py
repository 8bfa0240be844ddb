"""The table of sections: a row for each field of a picture, and every value comes back."""

from dataclasses import fields, replace

import numpy as np
import pytest
from small_file import HEADER, TOKENS

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.limits import Limits
from imgcodec.bitstream.payload import pack_bytes
from imgcodec.bitstream.sections import (
    METADATA,
    PICTURE_SECTIONS,
    WRITING_ORDER,
    SectionType,
    pack_fields,
    unpack_fields,
    unpacks,
)
from imgcodec.pictures.picture import Picture


def test_every_field_of_a_picture_that_is_not_pixels_has_a_row() -> None:
    others = {"pixels", "wide", "gray", "bit_depth", "notes", "file_bytes"}  # tokens, header, the way here
    assert {field.name for field in fields(Picture)} - others == {row.field for row in PICTURE_SECTIONS.values()}
    assert {kind for kind in SectionType if kind not in (0, SectionType.TOKENS, SectionType.EXACT)} == set(
        PICTURE_SECTIONS
    )


VALUES = {
    "icc": b"profile", "alpha": np.arange(12, dtype=np.uint8).reshape(3, 4), "exif": b"II*", "xmp": b"<x/>",
    "density": (11811, 5906), "features": b"8 bytes.",
}  # fmt: skip
HEADER_OF_ALPHA = replace(HEADER, width=4, height=3)


def test_every_field_comes_back():
    sections = pack_fields(VALUES)
    assert [section.type for section in sections] == list(PICTURE_SECTIONS)
    back = unpack_fields([*TOKENS, *sections], HEADER_OF_ALPHA)
    assert back.keys() == VALUES.keys()
    assert all(np.array_equal(back[field], VALUES[field]) for field in VALUES)
    assert pack_fields(dict.fromkeys(VALUES)) == []


def test_what_shows_the_picture_is_written_before_what_it_carries():
    order = [kind.name for kind in WRITING_ORDER]
    assert order == ["ICC", "TOKENS", "EXACT", "ALPHA", "EXIF", "XMP", "DENSITY", "FEATURES"]
    assert {kind.name for kind in METADATA} == {"ICC", "EXIF", "XMP"}


@pytest.mark.parametrize("kind", PICTURE_SECTIONS)
def test_data_that_hold_no_value_do_not_unpack(kind):
    sound = next(section for section in pack_fields(VALUES) if section.type == kind)
    assert unpacks(sound, HEADER_OF_ALPHA)
    for data in (b"", b"junk", sound.data[:-1]):
        assert not unpacks(replace(sound, data=data), HEADER_OF_ALPHA)
        with pytest.raises(InvalidFileError):
            unpack_fields([replace(sound, data=data)], HEADER_OF_ALPHA)


@pytest.mark.parametrize("kind", sorted(METADATA))
def test_metadata_may_unpack_to_the_limit_and_no_more(kind):
    limit = PICTURE_SECTIONS[kind].limit
    limit(pack_bytes(bytes(100)), HEADER, Limits(metadata_bytes=100))
    with pytest.raises(InvalidFileError, match="compressed section"):
        limit(pack_bytes(bytes(101)), HEADER, Limits(metadata_bytes=100))


def test_alpha_has_the_size_of_the_picture():
    limit = PICTURE_SECTIONS[SectionType.ALPHA].limit
    limit(pack_bytes(bytes(12)), HEADER_OF_ALPHA, Limits())
    for size in (11, 13):
        with pytest.raises(InvalidFileError):
            limit(pack_bytes(bytes(size)), HEADER_OF_ALPHA, Limits())
