"""The sections of a file, and a table with a row for each that keeps a field of a `Picture`.

The order of writing, limits, `--strip`, `--verify`, `imgcodec.info` and what recovery leaves out follow from the row.
A new kind of section is its number, its row, the field of `Picture` that the row names, and its line in
`docs/format.md`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import CODEBOOK_ID_BYTES, Header
from imgcodec.bitstream.limits import Limits
from imgcodec.bitstream.payload import (
    pack_alpha,
    pack_bytes,
    pack_density,
    unpack_alpha,
    unpack_bytes,
    unpack_density,
    unpacked_size,
)

# A reader that does not know a type below this one must refuse the file; from here on it skips the section.
FIRST_OPTIONAL_TYPE = 128

LARGEST_FEATURES = 2**14  # bytes: a vector of 4096 numbers takes no more


class SectionType(IntEnum):
    """The content of a section. Type 3 was reserved for what FEATURES became, and stays free."""

    END = 0
    TOKENS = 1
    ALPHA = 2
    EXACT = 4
    ICC = 128
    EXIF = 129
    XMP = 130
    DENSITY = 131
    FEATURES = 132


@dataclass(frozen=True)
class Section:
    """A part of the file. stage, tile: of tokens, from 0; of exact blocks the tile; 0 in all other sections."""

    type: SectionType
    stage: int
    tile: int
    data: bytes


@dataclass(frozen=True)
class PictureSection:
    """How a file keeps a field of `Picture`.

    field: its name. pack: value -> data of the section. unpack: data -> value; raises InvalidFileError for data that
    holds no such value. limit: raises InvalidFileError for data that would unpack to more than it may, without
    unpacking it. is_needed: the picture looks wrong without it, so `--strip` keeps it. is_first: a preview needs it, so
    it is written before the tokens.
    """

    field: str
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes, Header], Any]
    limit: Callable[[bytes, Header, Limits], object]
    is_needed: bool = False
    is_first: bool = False


def _unpack_bytes(data: bytes, _: Header) -> bytes:
    return unpack_bytes(data)


def _limit_metadata(data: bytes, _: Header, limits: Limits) -> None:
    unpacked_size(data, limits.metadata_bytes)


def _unpack_alpha(data: bytes, header: Header) -> Any:
    return unpack_alpha(data, header.width, header.height)


def _limit_alpha(data: bytes, header: Header, _: Limits) -> None:
    pixels = header.width * header.height
    if unpacked_size(data, pixels) != pixels:
        raise InvalidFileError("The alpha section does not have the size of the picture.")


def _unpack_density(data: bytes, _: Header) -> tuple[int, int]:
    return unpack_density(data)


def _limit_density(data: bytes, _header: Header, _limits: Limits) -> None:
    """There is none: it is not compressed."""


def _pack_features(value: bytes) -> bytes:
    return value


def _unpack_features(data: bytes, _: Header) -> bytes:
    if not CODEBOOK_ID_BYTES <= len(data) <= LARGEST_FEATURES:
        raise InvalidFileError("The features section does not have the size of one.")
    return data


def _limit_features(data: bytes, header: Header, _: Limits) -> None:
    _unpack_features(data, header)


# In the order of writing.
PICTURE_SECTIONS = {
    SectionType.ICC: PictureSection("icc", pack_bytes, _unpack_bytes, _limit_metadata, is_needed=True, is_first=True),
    SectionType.ALPHA: PictureSection("alpha", pack_alpha, _unpack_alpha, _limit_alpha, is_needed=True),
    SectionType.EXIF: PictureSection("exif", pack_bytes, _unpack_bytes, _limit_metadata),
    SectionType.XMP: PictureSection("xmp", pack_bytes, _unpack_bytes, _limit_metadata),
    SectionType.DENSITY: PictureSection("density", pack_density, _unpack_density, _limit_density),
    SectionType.FEATURES: PictureSection("features", _pack_features, _unpack_features, _limit_features),
}

# Sections whose bytes in the file count together, up to `Limits.metadata_bytes`.
METADATA = frozenset(kind for kind, row in PICTURE_SECTIONS.items() if row.limit is _limit_metadata)

# What a preview needs, the tokens from coarse to fine, blocks that they do not show, then what only the whole picture
# needs.
WRITING_ORDER = (
    *(kind for kind, row in PICTURE_SECTIONS.items() if row.is_first),
    SectionType.TOKENS,
    SectionType.EXACT,
    *(kind for kind, row in PICTURE_SECTIONS.items() if not row.is_first),
)


def pack_fields(values: Mapping[str, Any]) -> list[Section]:
    """The sections for the fields of a picture that have a value."""
    return [
        Section(kind, 0, 0, row.pack(values[row.field]))
        for kind, row in PICTURE_SECTIONS.items()
        if values.get(row.field) is not None
    ]


def unpack_fields(sections: Iterable[Section], header: Header) -> dict[str, Any]:
    """The fields of a picture that a file has sections for. Raises InvalidFileError where one holds no such value."""
    rows = ((PICTURE_SECTIONS[section.type], section) for section in sections if section.type in PICTURE_SECTIONS)
    return {row.field: row.unpack(section.data, header) for row, section in rows}


def unpacks(section: Section, header: Header) -> bool:
    """Whether the data of a section are a value of its field."""
    try:
        unpack_fields([section], header)
    except InvalidFileError:
        return False
    return True
