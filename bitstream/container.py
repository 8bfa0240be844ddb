"""The file as a whole: a header, sections, and an end.

      header                        section, as often as needed                            end
    ┌──────────────────────────┐  ┌──────┬───────┬──────┬────────┬──────┬────────┐  ┌─────────────────┐
    │ see bitstream/header.py  │  │ type │ stage │ tile │ length │ data │ CRC-32C│  │ section, type 0 │
    └──────────────────────────┘  └──────┴───────┴──────┴────────┴──────┴────────┘  └─────────────────┘

Every byte is under a checksum, every length is compared with what is there, and a file has to say that it is over:
no flipped bit and no cut passes. `docs/format.md` is the specification.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from imgcodec.bitstream.cursor import Cursor, varint
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import Header, check_checksum, checksum, read_header, write_header
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits, check_size, largest_token_section

# A reader that does not know a type below this one must refuse the file; from here on it skips the section.
FIRST_OPTIONAL_TYPE = 128


class SectionType(IntEnum):
    """What a section holds. Type 3 is reserved for feature vectors (see `docs/format.md`)."""

    END = 0
    TOKENS = 1
    ALPHA = 2
    ICC = 128
    EXIF = 129
    XMP = 130


METADATA = (SectionType.ICC, SectionType.EXIF, SectionType.XMP)

# As written: what a preview needs, the tokens from coarse to fine, then what only the whole picture needs.
WRITING_ORDER = (SectionType.ICC, SectionType.TOKENS, SectionType.ALPHA, SectionType.EXIF, SectionType.XMP)


@dataclass(frozen=True)
class Section:
    """A part of the file. `stage` and `tile` number a token section from 0 and are 0 in all others."""

    type: SectionType
    stage: int
    tile: int
    data: bytes


@dataclass(frozen=True)
class Entry:
    """Where a section lies: `size` bytes from `offset`, `data_size` of them data, the rest its frame.

    `type` is a plain number, because a section that this version skips has an entry too; so has the end.
    """

    type: int
    stage: int
    tile: int
    offset: int
    size: int
    data_size: int

    @property
    def name(self) -> str:
        """`tokens`, `icc` ..., or `type 200` where this version has no name for it."""
        try:
            return SectionType(self.type).name.lower()
        except ValueError:
            return f"type {self.type}"


@dataclass(frozen=True)
class Container:
    """A file that was read: every checksum right, every token section there, in order of stage, then tile.

    `sections` are those that this version knows, without the end. `header_size` and the sizes of `entries` add up to
    the size of the file, in bytes.
    """

    header: Header
    sections: tuple[Section, ...]
    header_size: int
    entries: tuple[Entry, ...]

    def find(self, kind: SectionType) -> bytes | None:
        """The data of the first section of this type, None where there is none."""
        return next((section.data for section in self.sections if section.type == kind), None)

    def tokens(self) -> list[bytes]:
        """The data of the token sections; that of a stage and tile is at `stage * tile_count + tile`."""
        return [section.data for section in self.sections if section.type == SectionType.TOKENS]


def write(header: Header, sections: Iterable[Section]) -> bytes:
    """The file. Sections come in any order and are put into that of the format; the end section is added.

    Raises UsageError where a token section is missing or another one is there twice.
    """
    sections = list(sections)
    if any(section.type not in WRITING_ORDER for section in sections):
        raise UsageError("The end section is written by itself and cannot be given.")
    ordered = sorted(sections, key=lambda section: (WRITING_ORDER.index(section.type), section.stage, section.tile))
    _check_sections(header, ordered)
    ordered.append(Section(SectionType.END, 0, 0, b""))
    return write_header(header) + b"".join(map(_write_section, ordered))


def read(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> Container:
    """The container in `data`, which must hold one file and nothing else.

    Raises InvalidFileError, and nothing else, for whatever else it holds and for a file beyond the limits.
    """
    if len(data) > limits.file_bytes:
        raise InvalidFileError(f"The file is over the limit of {limits.file_bytes} bytes.")
    cursor = Cursor(bytes(data))
    header = read_header(cursor)
    _check_limits(header, limits)
    header_size = cursor.offset
    sections: list[Section] = []
    entries: list[Entry] = []
    metadata_bytes = 0
    while not entries or entries[-1].type != SectionType.END:
        if len(entries) == limits.sections:
            raise InvalidFileError(f"The file has more than {limits.sections} sections.")
        entry, content = _read_section(cursor, len(entries))
        entries.append(entry)
        if entry.type in METADATA:
            metadata_bytes += entry.data_size
            if metadata_bytes > limits.metadata_bytes:
                raise InvalidFileError(f"The file has more than {limits.metadata_bytes} bytes of metadata.")
        if entry.type in WRITING_ORDER:
            sections.append(Section(SectionType(entry.type), entry.stage, entry.tile, content))
    if cursor.left:
        raise InvalidFileError("The file goes on after its end section.")
    try:
        _check_sections(header, sections)
    except UsageError as error:
        raise InvalidFileError(str(error)) from None
    return Container(header, tuple(sections), header_size, tuple(entries))


def _write_section(section: Section) -> bytes:
    frame = bytes([section.type, section.stage]) + varint(section.tile) + varint(len(section.data))
    body = frame + section.data
    return body + checksum(body)


def _read_section(cursor: Cursor, index: int) -> tuple[Entry, bytes]:
    what = f"section {index}"
    offset = cursor.offset
    number = cursor.integer(1, what)
    stage = cursor.integer(1, what)
    tile = cursor.varint(f"the tile of {what}")
    size = cursor.varint(f"the length of {what}")
    data = cursor.take(size, what)
    check_checksum(cursor, offset, what)
    entry = Entry(number, stage, tile, offset, cursor.offset - offset, size)
    if number < FIRST_OPTIONAL_TYPE and number not in (SectionType.END, *WRITING_ORDER):
        raise InvalidFileError(f"The file needs a reader that knows sections of type {number}; this program does not.")
    if number == SectionType.END and (stage, tile, size) != (0, 0, 0):
        raise InvalidFileError("The file is invalid: its end section is not empty.")
    return entry, data


def _check_limits(header: Header, limits: Limits) -> None:
    check_size(header.width, header.height, limits.pixels)
    if header.stage_count * header.tile_count > limits.sections:
        raise InvalidFileError(
            f"The picture of {header.tile_count} tiles and {header.stage_count} stages"
            f" is over the limit of {limits.sections} sections."
        )


def _check_sections(header: Header, sections: Sequence[Section]) -> None:
    """Raises UsageError unless each stage of each tile has its tokens, in order, and nothing else comes twice."""
    seen: set[SectionType] = set()
    tokens = 0
    for section in sections:
        if section.type == SectionType.TOKENS:
            if (section.stage, section.tile) != divmod(tokens, header.tile_count):
                raise UsageError(f"The tokens of stage {section.stage}, tile {section.tile} are not where they belong.")
            _, _, width, height = header.tile_rectangle(section.tile)
            if len(section.data) > largest_token_section(width, height):
                raise UsageError(f"The tokens of stage {section.stage}, tile {section.tile} are too many bytes.")
            tokens += 1
        elif section.type in seen:
            raise UsageError(f"There is more than one {section.type.name} section.")
        elif (section.stage, section.tile) != (0, 0):
            raise UsageError(f"The {section.type.name} section has a stage or tile number, which only tokens have.")
        seen.add(section.type)
    if tokens != header.stage_count * header.tile_count:
        raise UsageError(f"There are {tokens} token sections instead of {header.stage_count * header.tile_count}.")
