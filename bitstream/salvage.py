"""What is still whole of a file that is damaged or cut short."""

import re
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from imgcodec.bitstream.container import Container, Found, begin, check_order, is_of_a_tile
from imgcodec.bitstream.cursor import Cursor
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.frames import Entry, content, read_entry, read_frame, write_section
from imgcodec.bitstream.header import Header
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import (
    FIRST_OPTIONAL_TYPE,
    PICTURE_SECTIONS,
    WRITING_ORDER,
    Section,
    SectionType,
)
from imgcodec.bitstream.token_sections import LAST, MIDDLE, TileTokens, fitting, key, missing


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


def salvage(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> Salvage:
    """The whole sections of a file that is damaged or cut short.

    A section is whole if its checksum is right; behind a wrong one the next right one is looked for. One that is out of
    order is put in order, one that is there twice or does not fit is dropped, and both are told as gaps. Raises
    InvalidFileError where the header is not whole, for a file beyond the limits, and for whole sections of an unknown
    critical type.
    """
    data = bytes(data)
    header, cursor = begin(data, limits)
    header_size, found, search = cursor.offset, Found(header, limits), _Search(data, header)
    damaged: list[tuple[int, int]] = []
    while not found.has_end and cursor.left:
        offset = cursor.offset
        try:
            entry = read_entry(cursor, len(found.entries))
            whole = content(cursor, entry, len(found.entries))
        except InvalidFileError:
            cursor.offset = search.next_section(offset)
            damaged.append((offset, cursor.offset - offset))
        else:
            found.add(entry, whole)
    if cursor.left:
        damaged.append((cursor.offset, cursor.left))

    sections, misplaced = found.sections, list[int]()
    try:
        check_order(header, found.sections)
    except UsageError:
        sections, misplaced = _in_order(header, found.sections)
    known = [entry for entry in found.entries if entry.type in WRITING_ORDER]
    wrong = [known[number] for number in misplaced]
    offsets = {entry.offset for entry in wrong}
    in_place = tuple(entry for entry in found.entries if entry.offset not in offsets)
    file = Container(header, tuple(sections), header_size, in_place)
    gaps = sorted([*_gaps(file, data, damaged), *_runs(wrong)], key=lambda gap: gap.offset)
    return Salvage(file, tuple(gaps), found.has_end)


def _in_order(header: Header, sections: Sequence[Section]) -> tuple[list[Section], list[int]]:
    """The sections that can be used, in order, and the numbers of those that stand where no writer puts them: some of
    these are used all the same, for their frames say whose they are."""
    chosen = fitting(header, sections)
    seen: set[SectionType] = set()
    exact: dict[int, int] = {}  # by tile
    others = []
    for number, section in enumerate(sections):
        if section.type == SectionType.EXACT:
            if section.tile not in exact and is_of_a_tile(header, section):
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


def _gaps(file: Container, data: bytes, ranges: list[tuple[int, int]]) -> list[Gap]:
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
        gaps.append(Gap(data[offset], offset, size, is_tokens=here))
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
        end = re.escape(write_section(Section(SectionType.END, 0, 0, b"")))
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
                *_, tile, size = read_frame(cursor, "")
                if size > cursor.left or tile >= self.tiles:
                    continue
                self.budget -= size + 1024  # what its checksum costs
                if self.budget < 0:
                    break
                cursor.offset = offset
                content(cursor, read_entry(cursor, 0), 0)
            except InvalidFileError:
                continue
            return offset
        return len(self.data)
