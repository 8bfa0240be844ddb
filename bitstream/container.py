"""The file as a whole: a header, sections, and an end.

      header                        section, as often as needed                            end
    ┌──────────────────────────┐  ┌──────┬───────┬──────┬────────┬──────┬────────┐  ┌─────────────────┐
    │ see bitstream/header.py  │  │ type │ stage │ tile │ length │ data │ CRC-32C│  │ section, type 0 │
    └──────────────────────────┘  └──────┴───────┴──────┴────────┴──────┴────────┘  └─────────────────┘

Every byte is under a checksum, every length is compared with what is there, and a file has to say that it is over:
no flipped bit and no cut passes. `docs/format.md` is the specification.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from imgcodec.bitstream.cursor import Cursor, Slices
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.frames import Entry, content, read_entry, write_section
from imgcodec.bitstream.header import Header, Profile, read_header, write_header
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits, check_size, largest_token_section
from imgcodec.bitstream.sections import FIRST_OPTIONAL_TYPE, METADATA, WRITING_ORDER, Section, SectionType
from imgcodec.bitstream.token_sections import TileTokens, check_tokens, check_whole, key, tiles_of

_KNOWN = frozenset((SectionType.END, *WRITING_ORDER))


@dataclass(frozen=True)
class Container:
    """A whole file: all checksums are right and all token sections are there, from coarse to fine. Or what was wanted
    of one (`read_part`).

    sections: those that this version knows, or those that were wanted, without the end. header_size: bytes.
    """

    header: Header
    sections: tuple[Section, ...]
    header_size: int
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.header_size + sum(entry.size for entry in self.entries)

    def tokens(self) -> list[TileTokens]:
        """The token data of each tile."""
        return tiles_of(self.header, self.sections)


def write(header: Header, sections: Iterable[Section]) -> bytes:
    """The bytes of a file. Sections may come in any order and are sorted as the format has them; the end is added.

    Raises UsageError where a token section is missing or another one is there twice.
    """
    sections = list(sections)
    if any(section.type not in WRITING_ORDER for section in sections):
        raise UsageError("Sections to write are tokens and those of a picture; the end section is added.")
    ordered = sorted(sections, key=lambda s: (WRITING_ORDER.index(s.type), *key(header, s.stage, s.tile)))
    check_order(header, ordered)
    check_whole(header, ordered)
    ordered.append(Section(SectionType.END, 0, 0, b""))
    return write_header(header) + b"".join(map(write_section, ordered))


def read(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> Container:
    """The container in `data`, which must be one whole file and nothing else.

    Raises InvalidFileError, and nothing else, for any other bytes and for a file beyond the limits.
    """
    header, cursor = begin(data, limits)
    file = _read_sections(header, cursor, limits, lambda entry: True)
    try:
        check_whole(header, file.sections)
    except UsageError as error:
        raise InvalidFileError(str(error)) from None
    return file


def read_part(data: Slices, wanted: Callable[[Entry], bool], limits: Limits = DEFAULT_LIMITS) -> Container:
    """The sections of a file that are wanted, and the places of all. data: bytes, or a file object as `FileSlices`.

    Of all other sections only the frames are read, which lead to the next one: nothing of them is checked, and whether
    tokens are missing is for the caller to see. The limit on pixels is not applied, for it is that of a picture that is
    decoded; that on the bytes of a file is applied to those of the wanted sections. Raises as `read`.
    """
    cursor = Cursor(data)
    return _read_sections(read_header(cursor), cursor, limits, wanted)


def begin(data: bytes | bytearray | memoryview, limits: Limits) -> tuple[Header, Cursor]:
    """The header of a whole file, and a cursor behind it. Raises InvalidFileError, also for a file or a picture beyond
    the limits."""
    if len(data) > limits.file_bytes:
        raise InvalidFileError(f"The file is over the limit of {limits.file_bytes} bytes.")
    cursor = Cursor(bytes(data))
    header = read_header(cursor)
    check_size(header.width, header.height, limits.pixels)
    return header, cursor


@dataclass
class Found:
    """What was found of a file so far: the places of sections, and those that this version knows and that were read."""

    header: Header
    limits: Limits
    sections: list[Section] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    metadata_bytes: int = 0

    def __post_init__(self) -> None:
        if self.header.stage_count * self.header.tile_count > self.limits.sections:
            raise InvalidFileError(
                f"The picture of {self.header.tile_count} tiles and {self.header.stage_count} stages"
                f" is over the limit of {self.limits.sections} sections."
            )

    @property
    def has_end(self) -> bool:
        """Whether the end section was found."""
        return bool(self.entries) and self.entries[-1].type == SectionType.END

    def add(self, entry: Entry, data: bytes | None) -> None:
        """Adds a section, with its data if they were read. Raises InvalidFileError where it is beyond the limits, and
        for one that this version must not skip."""
        if len(self.entries) == self.limits.sections:
            raise InvalidFileError(f"The file has more than {self.limits.sections} sections.")
        if entry.type < FIRST_OPTIONAL_TYPE and entry.type not in _KNOWN:
            raise InvalidFileError(
                f"The file needs a reader that knows sections of type {entry.type}; this program does not."
            )
        if entry.type == SectionType.END and (entry.stage, entry.tile, entry.data_size) != (0, 0, 0):
            raise InvalidFileError("The file is invalid: its end section is not empty.")
        self.entries.append(entry)
        if entry.type in METADATA:
            self.metadata_bytes += entry.data_size
            if self.metadata_bytes > self.limits.metadata_bytes:
                raise InvalidFileError(f"The file has more than {self.limits.metadata_bytes} bytes of metadata.")
        if entry.type in WRITING_ORDER and data is not None:
            self.sections.append(Section(SectionType(entry.type), entry.stage, entry.tile, data))


def _read_sections(header: Header, cursor: Cursor, limits: Limits, wanted: Callable[[Entry], bool]) -> Container:
    """The file behind the header, to its end."""
    header_size, found, wanted_bytes = cursor.offset, Found(header, limits), 0
    while not found.has_end:
        entry = read_entry(cursor, len(found.entries))
        is_read = entry.type == SectionType.END or wanted(entry)
        wanted_bytes += entry.data_size * is_read
        if wanted_bytes > limits.file_bytes:
            raise InvalidFileError(f"The sections to read are over the limit of {limits.file_bytes} bytes.")
        found.add(entry, content(cursor, entry, len(found.entries)) if is_read else None)
    if cursor.left:
        raise InvalidFileError("The file goes on after its end section.")
    try:
        check_order(header, found.sections)
    except UsageError as error:
        raise InvalidFileError(str(error)) from None
    return Container(header, tuple(found.sections), header_size, tuple(found.entries))


def is_of_a_tile(header: Header, section: Section) -> bool:
    """Whether a section can be that of the exact blocks of a tile."""
    if header.profile != Profile.PHOTO or section.stage != 0 or section.tile >= header.tile_count:
        return False
    _, _, width, height = header.tile_rectangle(section.tile)
    return len(section.data) <= largest_token_section(width, height)


def check_order(header: Header, sections: Sequence[Section]) -> None:
    """Raises UsageError unless token sections are in order and fit the header, those of exact blocks too, and no other
    section comes twice."""
    seen: set[SectionType] = set()
    last_tile = -1
    for section in sections:
        if section.type == SectionType.TOKENS:
            continue
        if section.type == SectionType.EXACT:
            if section.tile <= last_tile or not is_of_a_tile(header, section):
                raise UsageError(f"The exact blocks of tile {section.tile} are not where they belong.")
            last_tile = section.tile
            continue
        if section.type in seen:
            raise UsageError(f"There is more than one {section.type.name} section.")
        if (section.stage, section.tile) != (0, 0):
            raise UsageError(f"The {section.type.name} section has a stage or tile number, which only tokens have.")
        seen.add(section.type)
    check_tokens(header, sections)
