"""What token sections hold, in both versions of the format, and which of them are missing.

    version 1    a section is a stage of a tile              stage 0   | stage 1
    version 2    a section is some of a tile's calls         calls 0-5 | 6-7 | 8 | 9-15

A call is a step in which the prior predicts tokens and the range coder codes them (`docs/format.md`, section 5.4). A
tile of version 2 says in its first section how many calls it has; the tokens of all others are zero, and cost nothing.
The stage number of a section's frame tells three kinds apart:

    0 to 63      the first section of a tile, which has so many calls; calls from 0, as many as the header says, or all
    64 + first   a section in the middle; its data begin with a byte, the number of the call behind its last one
    128 + first  the last section, up to the tile's last call
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import MAX_CALLS, Header
from imgcodec.bitstream.limits import largest_token_section
from imgcodec.bitstream.sections import Section, SectionType

MIDDLE, LAST = MAX_CALLS + 1, 2 * (MAX_CALLS + 1)


@dataclass(frozen=True)
class Part:
    """The stream of calls `first` to `end - 1` of a tile; of stages in version 1."""

    first: int
    end: int
    data: bytes


@dataclass(frozen=True)
class TileTokens:
    """What there is of a tile's tokens.

    total: the calls of the tile, or its stages in version 1; None where the section that says it is missing. parts: of
    its sections those from the first on up to the first that is missing.
    """

    total: int | None
    parts: tuple[Part, ...]

    @property
    def end(self) -> int:
        """The first call or stage that is missing."""
        return self.parts[-1].end if self.parts else 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.end == self.total


Key = tuple[int, int]
"""(first call or stage, tile) of a token section. Sections are in this order."""


def token_section(tile: int, part: Part, total: int) -> Section:
    """The section of a part of a tile with so many calls, in version 2."""
    if part.first == 0:
        return Section(SectionType.TOKENS, total, tile, part.data)
    if part.end == total:
        return Section(SectionType.TOKENS, LAST + part.first, tile, part.data)
    return Section(SectionType.TOKENS, MIDDLE + part.first, tile, bytes([part.end]) + part.data)


def key(header: Header, stage: int, tile: int) -> Key:
    """The place of a token section, from the stage number and the tile of its frame."""
    if header.version == 1:
        return stage, tile
    return (stage % MIDDLE if stage >= MIDDLE else 0), tile


def tiles_of(header: Header, sections: Iterable[Section]) -> list[TileTokens]:
    """What there is of each tile, from sections that `check_tokens` has let pass."""
    of_tile = _by_tile(header, sections)
    return [TileTokens(total, tuple(_unbroken(parts))) for total, parts in of_tile]


def missing(header: Header, sections: Iterable[Section]) -> list[Key]:
    """Where token sections are missing, in order. In version 2 two sections of a tile that follow each other and are
    both missing are one place: nothing says that they were two."""
    places = []
    for tile, (total, parts) in enumerate(_by_tile(header, sections)):
        expected = 0
        for part in [*parts, Part(MAX_CALLS if total is None else total, 0, b"")]:
            gap = range(expected, part.first)
            places += [(first, tile) for first in (gap if header.version == 1 else gap[:1])]
            expected = part.end
    return sorted(places)


def check_tokens(header: Header, sections: Sequence[Section]) -> None:
    """Raises UsageError unless the token sections among these are of the header's tiles, of calls or stages that there
    can be, and in order; any may be missing."""
    last: Key = (-1, 0)
    totals: dict[int, int] = {}  # of tiles whose first section is there; it comes before the others
    for section in sections:
        if section.type != SectionType.TOKENS:
            continue
        here = key(header, section.stage, section.tile)
        where = f"stage {section.stage}" if header.version == 1 else f"call {here[0]}"
        if section.tile >= header.tile_count or not last < here or not _is_known(header, section):
            raise UsageError(f"The tokens of {where}, tile {section.tile} are not where they belong.")
        _, _, width, height = header.tile_rectangle(section.tile)
        if len(section.data) > largest_token_section(width, height):
            raise UsageError(f"The tokens of {where}, tile {section.tile} are too many bytes.")
        if header.version == 2 and section.stage < MIDDLE:
            totals[section.tile] = section.stage
        elif (
            header.version == 2 and section.stage < LAST and section.data[0] >= totals.get(section.tile, MAX_CALLS + 1)
        ):
            raise UsageError(f"The token sections of tile {section.tile} do not fit together.")
        last = here
    for tile, (total, parts) in enumerate(_by_tile(header, sections)):
        _check_tile(tile, total, parts)


def fitting(header: Header, sections: Sequence[Section]) -> list[int]:
    """Numbers of those token sections, of these in any order, that `check_tokens` lets pass in the order of the result.
    Of several for one place the first is taken, and none that does not fit together with those before it."""
    chosen: list[int] = []
    totals: dict[int, int] = {}
    ends: dict[int, int] = {}
    last: Key = (-1, 0)
    token_sections = [number for number, section in enumerate(sections) if section.type == SectionType.TOKENS]
    for number in sorted(token_sections, key=lambda n: key(header, sections[n].stage, sections[n].tile)):
        section = sections[number]
        tile, here = section.tile, key(header, section.stage, section.tile)
        if tile >= header.tile_count or here == last or not _is_known(header, section):
            continue
        _, _, width, height = header.tile_rectangle(tile)
        if len(section.data) > largest_token_section(width, height):
            continue
        if header.version == 2:
            total = totals.get(tile)
            most = MAX_CALLS if total is None else total
            if section.stage < MIDDLE:
                totals[tile] = section.stage
                end = min(header.first_calls, section.stage)
            else:
                is_last = section.stage >= LAST
                end = most if is_last else section.data[0]
                reaches_end = total is not None and end >= total and not is_last
                if here[0] < ends.get(tile, 0) or end <= here[0] or end > most or reaches_end:
                    continue
            ends[tile] = end
        chosen.append(number)
        last = here
    return chosen


def check_whole(header: Header, sections: Iterable[Section]) -> None:
    """Raises UsageError where token sections are missing among those that `check_tokens` has let pass."""
    for first, tile in missing(header, sections)[:1]:
        unit = "stage" if header.version == 1 else "call"
        raise UsageError(f"The tokens of {unit} {first}, tile {tile} are missing.")


def _is_known(header: Header, section: Section) -> bool:
    """Whether a section's stage number is one that there is."""
    if header.version == 1:
        return section.stage < header.stage_count
    if section.stage < MIDDLE:
        return True
    first = section.stage % MIDDLE
    if first < header.first_calls or section.stage >= LAST + MIDDLE:
        return False
    return section.stage >= LAST or (bool(section.data) and first < section.data[0] <= MAX_CALLS)


def _check_tile(tile: int, total: int | None, parts: Sequence[Part]) -> None:
    """Raises UsageError for parts that overlap, are empty behind the first, or go on behind the tile's last call."""
    end, most = 0, MAX_CALLS if total is None else total
    for part in parts:
        is_empty = part.end <= part.first and part.first > 0
        if part.first < end or is_empty or part.end > most:
            raise UsageError(f"The token sections of tile {tile} do not fit together.")
        end = part.end


def _by_tile(header: Header, sections: Iterable[Section]) -> list[tuple[int | None, list[Part]]]:
    """Total and parts of each tile, in order. The end of a last section without a first one is not known: 63."""
    if header.version == 1:
        totals: list[int | None] = [header.stage_count] * header.tile_count
    else:
        totals = [None] * header.tile_count
    parts: list[list[Part]] = [[] for _ in totals]
    for section in sections:
        if section.type != SectionType.TOKENS:
            continue
        first, tile = key(header, section.stage, section.tile)
        if header.version == 1:
            part = Part(first, first + 1, section.data)
        elif section.stage < MIDDLE:
            totals[tile] = section.stage
            part = Part(0, min(header.first_calls, section.stage), section.data)
        elif section.stage < LAST:
            part = Part(first, section.data[0], section.data[1:])
        else:
            total = totals[tile]
            part = Part(first, MAX_CALLS if total is None else total, section.data)
        parts[tile].append(part)
    return list(zip(totals, parts, strict=True))


def _unbroken(parts: Iterable[Part]) -> Iterable[Part]:
    """The parts up to the first that is missing."""
    expected = 0
    for part in parts:
        if part.first != expected:
            return
        yield part
        expected = part.end
