"""The file as a whole: a header, sections, and an end.

      header                        section, as often as needed                            end
    ┌──────────────────────────┐  ┌──────┬───────┬──────┬────────┬──────┬────────┐  ┌─────────────────┐
    │ see bitstream/header.py  │  │ type │ stage │ tile │ length │ data │ CRC-32C│  │ section, type 0 │
    └──────────────────────────┘  └──────┴───────┴──────┴────────┴──────┴────────┘  └─────────────────┘

Every byte is under a checksum, every length is compared with what is there, and a file has to say that it is over:
no flipped bit and no cut passes. `docs/format.md` is the specification.
"""

import re
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from imgcodec.bitstream.cursor import Cursor, Slices, varint
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import CRC_BYTES, Header, Profile, check_checksum, checksum, read_header, write_header
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits, check_size, largest_token_section
from imgcodec.bitstream.sections import (
    FIRST_OPTIONAL_TYPE,
    METADATA,
    PICTURE_SECTIONS,
    WRITING_ORDER,
    Section,
    SectionType,
)
from imgcodec.bitstream.token_sections import (
    LAST,
    MIDDLE,
    TileTokens,
    check_tokens,
    check_whole,
    fitting,
    key,
    missing,
    tiles_of,
)

_KNOWN = frozenset((SectionType.END, *WRITING_ORDER))
LONGEST_FRAME = 12  # bytes of a section before its data


@dataclass(frozen=True)
class Entry:
    """The place of a section in a file: `size` bytes from `offset`, of which `data_size` are data, the rest its frame.

    `type` is a plain number, because sections that this version skips have entries too, and so has the end.
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


@dataclass(frozen=True)
class Gap:
    """A damaged part of a file, in which no section is whole, or whole sections that do not belong there: `size` bytes
    from `offset`.

    type: its first byte, which may be the type of a section. is_tokens: whether token sections are missing there, or
    stand there out of place. is_misplaced: whether it is whole sections that are out of place.
    """

    type: int
    offset: int
    size: int
    is_tokens: bool
    is_misplaced: bool = False

    @property
    def name(self) -> str:
        """The section that was there: `tokens`, `exif` ..., or `unknown`."""
        if self.is_tokens:
            return SectionType.TOKENS.name.lower()
        has_name = self.type in PICTURE_SECTIONS or self.type == SectionType.EXACT
        return SectionType(self.type).name.lower() if has_name else "unknown"


@dataclass(frozen=True)
class Salvage:
    """The whole sections of a file that may be damaged or cut short.

    file: its header and the sections whose checksums are right, put in order; unlike in other containers, any may be
    missing, and of several for one place there is the first. Its entries are those of the sections that are in place.
    gaps: the parts between them, in order. has_end: whether the end section is there.
    """

    file: Container
    gaps: tuple[Gap, ...]
    has_end: bool

    @property
    def damage(self) -> tuple[Gap, ...]:
        """The gaps, but for one that a cut leaves at the end."""
        entries, gaps = self.file.entries, self.gaps
        if self.has_end or not gaps or gaps[-1].is_misplaced:
            return gaps
        is_cut = not (entries and entries[-1].offset > gaps[-1].offset)
        return gaps[:-1] if is_cut else gaps

    def tokens(self) -> list[TileTokens]:
        """The token data of each tile, up to the first that are missing."""
        return self.file.tokens()


def write(header: Header, sections: Iterable[Section]) -> bytes:
    """The bytes of a file. Sections may come in any order and are sorted as the format has them; the end is added.

    Raises UsageError where a token section is missing or another one is there twice.
    """
    sections = list(sections)
    if any(section.type not in WRITING_ORDER for section in sections):
        raise UsageError("Sections to write are tokens and those of a picture; the end section is added.")
    ordered = sorted(sections, key=lambda s: (WRITING_ORDER.index(s.type), *key(header, s.stage, s.tile)))
    _check_order(header, ordered)
    check_whole(header, ordered)
    ordered.append(Section(SectionType.END, 0, 0, b""))
    return write_header(header) + b"".join(map(_write_section, ordered))


def read(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> Container:
    """The container in `data`, which must be one whole file and nothing else.

    Raises InvalidFileError, and nothing else, for any other bytes and for a file beyond the limits.
    """
    return _read(bytes(data), limits, lenient=False).file


def read_part(data: Slices, wanted: Callable[[Entry], bool], limits: Limits = DEFAULT_LIMITS) -> Container:
    """The sections of a file that are wanted, and the places of all. data: bytes, or a file object as `FileSlices`.

    Of all other sections only the frames are read, which lead to the next one: nothing of them is checked, and whether
    tokens are missing is for the caller to see. The limit on pixels is not applied, for it is that of a picture that is
    decoded; that on the bytes of a file is applied to those of the wanted sections. Raises as `read`.
    """
    return _read(data, limits, lenient=False, wanted=wanted).file


def salvage(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> Salvage:
    """The whole sections of a file that is damaged or cut short.

    A section is whole if its checksum is right; behind a wrong one the next right one is looked for. One that is out of
    order is put in order, one that is there twice or does not fit is dropped, and both are told as gaps. Raises
    InvalidFileError where the header is not whole, for a file beyond the limits, and for whole sections of an unknown
    critical type.
    """
    return _read(bytes(data), limits, lenient=True)


def _read(data: Slices, limits: Limits, lenient: bool, wanted: Callable[[Entry], bool] | None = None) -> Salvage:
    """Header and sections. lenient: goes on behind damage, to the end of the data; otherwise raises. wanted: which
    sections are read; None for all."""
    if wanted is None and len(data) > limits.file_bytes:
        raise InvalidFileError(f"The file is over the limit of {limits.file_bytes} bytes.")
    cursor = Cursor(data)
    header = read_header(cursor)
    if wanted is None:
        check_size(header.width, header.height, limits.pixels)
    _check_sections(header, limits)
    header_size = cursor.offset
    search = _Search(data, header) if lenient and isinstance(data, bytes) else None
    sections: list[Section] = []
    entries: list[Entry] = []
    gaps: list[tuple[int, int]] = []
    metadata_bytes = wanted_bytes = 0
    most_bytes = limits.file_bytes
    has_end = False
    while not has_end and (cursor.left or not lenient):
        if len(entries) == limits.sections:
            raise InvalidFileError(f"The file has more than {limits.sections} sections.")
        offset = cursor.offset
        try:
            entry = _read_entry(cursor, len(entries))
            is_read = wanted is None or entry.type == SectionType.END or wanted(entry)
            wanted_bytes += entry.data_size * is_read
            if wanted_bytes > most_bytes:
                raise InvalidFileError(f"The sections to read are over the limit of {most_bytes} bytes.")
            content = _content(cursor, entry, len(entries)) if is_read else None
        except InvalidFileError:
            if search is None:
                raise
            cursor.offset = search.next_section(offset)
            gaps.append((offset, cursor.offset - offset))
            continue
        _check_entry(entry)
        entries.append(entry)
        has_end = entry.type == SectionType.END
        if entry.type in METADATA:
            metadata_bytes += entry.data_size
            if metadata_bytes > limits.metadata_bytes:
                raise InvalidFileError(f"The file has more than {limits.metadata_bytes} bytes of metadata.")
        if entry.type in WRITING_ORDER and content is not None:
            sections.append(Section(SectionType(entry.type), entry.stage, entry.tile, content))
    if cursor.left:
        if not lenient:
            raise InvalidFileError("The file goes on after its end section.")
        gaps.append((cursor.offset, cursor.left))
    misplaced: list[int] = []
    try:
        _check_order(header, sections)
        if not lenient and wanted is None:
            check_whole(header, sections)
    except UsageError as error:
        if not lenient:
            raise InvalidFileError(str(error)) from None
        sections, misplaced = _in_order(header, sections)
    known = [entry for entry in entries if entry.type in WRITING_ORDER]
    runs = _runs([known[number] for number in misplaced])
    wrong = {known[number].offset for number in misplaced}
    in_place = tuple(entry for entry in entries if entry.offset not in wrong)
    file = Container(header, tuple(sections), header_size, in_place)
    return Salvage(file, tuple(sorted([*_gaps(file, data, gaps), *runs], key=lambda gap: gap.offset)), has_end)


def _in_order(header: Header, sections: Sequence[Section]) -> tuple[list[Section], list[int]]:
    """The sections that can be used, in order, and the numbers of those that stand where no writer puts them: some of
    these are used all the same, for their frames say whose they are."""
    chosen = fitting(header, sections)
    seen: set[SectionType] = set()
    exact: dict[int, int] = {}  # by tile
    others = []
    for number, section in enumerate(sections):
        if section.type == SectionType.EXACT:
            if section.tile not in exact and _is_of_a_tile(header, section):
                exact[section.tile] = number
        elif (
            section.type != SectionType.TOKENS and section.type not in seen and (section.stage, section.tile) == (0, 0)
        ):
            seen.add(section.type)
            others.append(number)
    others += [exact[tile] for tile in sorted(exact)]
    usable = {*chosen, *others}
    misplaced, last = [], (-1, 0)
    for number, section in enumerate(sections):
        here = key(header, section.stage, section.tile)
        is_tokens = section.type == SectionType.TOKENS
        if number not in usable or (is_tokens and here < last):
            misplaced.append(number)
        elif is_tokens:
            last = here
    ordered = sorted([*chosen, *others], key=lambda number: WRITING_ORDER.index(sections[number].type))
    return [sections[number] for number in ordered], misplaced


def _runs(misplaced: Iterable[Entry]) -> list[Gap]:
    """A gap for each run of token sections that are out of place, and one for each other section."""
    runs: list[Gap] = []
    for entry in misplaced:
        is_tokens, before = entry.type == SectionType.TOKENS, runs[-1] if runs else None
        if before and is_tokens and before.is_tokens and before.offset + before.size == entry.offset:
            runs[-1] = replace(before, size=before.size + entry.size)
        else:
            runs.append(Gap(entry.type, entry.offset, entry.size, is_tokens, is_misplaced=True))
    return runs


def _gaps(file: Container, data: Slices, ranges: list[tuple[int, int]]) -> list[Gap]:
    """The gaps of these (offset, size). Tokens are missing in one if their place is between those of the token sections
    before and behind it."""
    if not ranges:
        return []
    lost = missing(file.header, file.sections)
    tokens = [entry for entry in file.entries if entry.type == SectionType.TOKENS]
    offsets = [entry.offset for entry in tokens]
    keys = [(-1, 0), *(key(file.header, entry.stage, entry.tile) for entry in tokens), (256, 0)]
    gaps = []
    for offset, size in ranges:
        before = bisect(offsets, offset)
        here = bisect(lost, keys[before + 1]) > bisect(lost, keys[before])
        gaps.append(Gap(data[offset : offset + 1][0], offset, size, is_tokens=here))
    return gaps


class _Search:
    """Finds whole sections behind damage, in time linear in the size of the file, even of a hostile one."""

    def __init__(self, data: bytes, header: Header) -> None:
        self.data, self.tiles = data, header.tile_count
        largest = max(0, header.stage_count - 1) if header.version == 1 else LAST + MIDDLE - 1
        stages = b"\\x01[\\x00-\\x%02x]" % largest
        critical = b"".join(b"\\x%02x" % kind for kind in PICTURE_SECTIONS if kind < FIRST_OPTIONAL_TYPE)
        others = b"[" + critical + b"\\x%02x-\\xff]\\x00\\x00" % FIRST_OPTIONAL_TYPE
        exact = b"\\x%02x\\x00" % SectionType.EXACT
        end = re.escape(_write_section(Section(SectionType.END, 0, 0, b"")))
        # A lookahead, so that one beginning may lie inside of what another one takes for its data.
        self.beginnings = re.compile(b"(?=" + b"|".join((stages, others, exact, end)) + b")").finditer(data)
        self.budget = 16 * len(data) + 2**20

    def next_section(self, behind: int) -> int:
        """Offset of the first whole section behind the offset `behind`; the end of the data where none is found."""
        for match in self.beginnings:
            offset = match.start()
            if offset <= behind:
                continue
            cursor = Cursor(self.data, offset)
            try:
                *_, tile, size = _read_frame(cursor, "")
                if size > cursor.left or tile >= self.tiles:
                    continue
                self.budget -= size + 1024  # what its checksum costs
                if self.budget < 0:
                    break
                cursor.offset = offset
                _content(cursor, _read_entry(cursor, 0), 0)
            except InvalidFileError:
                continue
            return offset
        return len(self.data)


def _write_section(section: Section) -> bytes:
    frame = bytes([section.type, section.stage]) + varint(section.tile) + varint(len(section.data))
    body = frame + section.data
    return body + checksum(body)


def _read_frame(cursor: Cursor, what: str) -> tuple[int, int, int, int]:
    """Type, stage, tile and length of a section, unchecked."""
    frame = Cursor(cursor.data[cursor.offset : cursor.offset + LONGEST_FRAME])  # by one slice, for files have many
    number = frame.integer(1, what)
    stage = frame.integer(1, what)
    tile, length = frame.varint(f"the tile of {what}"), frame.varint(f"the length of {what}")
    cursor.offset += frame.offset
    return number, stage, tile, length


def _read_entry(cursor: Cursor, index: int) -> Entry:
    """The section at the cursor, by its frame alone; the cursor goes past the section. Raises InvalidFileError where it
    reaches past the end."""
    what, offset = f"section {index}", cursor.offset
    number, stage, tile, size = _read_frame(cursor, what)
    cursor.skip(size, what)
    cursor.skip(CRC_BYTES, f"the checksum of {what}")
    return Entry(number, stage, tile, offset, cursor.offset - offset, size)


def _content(cursor: Cursor, entry: Entry, index: int) -> bytes:
    """The data of the section that the cursor has gone past. Raises InvalidFileError where the checksum is wrong."""
    what, cursor.offset = f"section {index}", entry.offset
    body = cursor.take(entry.size - CRC_BYTES, what)
    check_checksum(cursor, entry.offset, what)
    return body[len(body) - entry.data_size :]


def _check_entry(entry: Entry) -> None:
    """Raises InvalidFileError for a section that this version must not skip."""
    if entry.type < FIRST_OPTIONAL_TYPE and entry.type not in _KNOWN:
        raise InvalidFileError(
            f"The file needs a reader that knows sections of type {entry.type}; this program does not."
        )
    if entry.type == SectionType.END and (entry.stage, entry.tile, entry.data_size) != (0, 0, 0):
        raise InvalidFileError("The file is invalid: its end section is not empty.")


def _check_sections(header: Header, limits: Limits) -> None:
    if header.stage_count * header.tile_count > limits.sections:
        raise InvalidFileError(
            f"The picture of {header.tile_count} tiles and {header.stage_count} stages"
            f" is over the limit of {limits.sections} sections."
        )


def _is_of_a_tile(header: Header, section: Section) -> bool:
    """Whether a section can be that of the exact blocks of a tile."""
    if header.profile != Profile.PHOTO or section.stage != 0 or section.tile >= header.tile_count:
        return False
    _, _, width, height = header.tile_rectangle(section.tile)
    return len(section.data) <= largest_token_section(width, height)


def _check_order(header: Header, sections: Sequence[Section]) -> None:
    """Raises UsageError unless token sections are in order and fit the header, those of exact blocks too, and no other
    section comes twice."""
    seen: set[SectionType] = set()
    last_tile = -1
    for section in sections:
        if section.type == SectionType.TOKENS:
            continue
        if section.type == SectionType.EXACT:
            if section.tile <= last_tile or not _is_of_a_tile(header, section):
                raise UsageError(f"The exact blocks of tile {section.tile} are not where they belong.")
            last_tile = section.tile
            continue
        if section.type in seen:
            raise UsageError(f"There is more than one {section.type.name} section.")
        if (section.stage, section.tile) != (0, 0):
            raise UsageError(f"The {section.type.name} section has a stage or tile number, which only tokens have.")
        seen.add(section.type)
    check_tokens(header, sections)
