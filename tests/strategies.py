"""What the tests of the bitstream draw from: headers, files, tables and values, ordinary and extreme."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_file import END, raw_section

from imgcodec.bitstream.entropy import FrequencyTables
from imgcodec.bitstream.header import (
    MAX_CALLS,
    SIGNATURE,
    ColourMode,
    Header,
    Profile,
    Tune,
    checksum,
    write_header,
)
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.bitstream.token_sections import Part, key, token_section

TOTAL = 2**24


@st.composite
def headers(draw: st.DrawFn, side: int = 3000, stages: int = 4) -> Header:
    """Of both versions."""
    header = Header(
        width=draw(st.integers(1, side)),
        height=draw(st.integers(1, side)),
        colour_mode=draw(st.sampled_from([ColourMode.GRAY, ColourMode.RGB])),
        bit_depth=draw(st.integers(1, 16)),
        profile=draw(st.sampled_from(Profile)),
        tune=draw(st.sampled_from(Tune)),
        quality=draw(st.integers(0, 25600)),
        tile_size=draw(st.sampled_from([0, 512, 1024, 16320])),
        stage_count=draw(st.integers(0, stages)),
        codebook_id=draw(st.binary(min_size=8, max_size=8)),
    )
    if draw(st.booleans()):
        return header
    first_calls = draw(st.one_of(st.integers(1, 4), st.integers(1, MAX_CALLS)))
    return replace(header, profile=Profile.PHOTO, stage_count=2, first_calls=first_calls)


@st.composite
def contents(draw: st.DrawFn) -> tuple[Header, list[Section]]:
    """A header and the sections of a valid file, in the order of the format."""
    header = draw(headers())
    extra = draw(st.sets(st.sampled_from([kind for kind in SectionType if kind not in (0, 1)])))
    kinds = [SectionType[name] for name in ("ICC", "TOKENS", "ALPHA", "EXIF", "XMP", "DENSITY")]
    data = st.binary(max_size=200)
    sections = []
    for kind in kinds:
        if kind == SectionType.TOKENS:
            sections += draw(token_sections(header, data))
        elif kind in extra:
            sections.append(Section(kind, 0, 0, draw(data)))
    return header, sections


@st.composite
def token_sections(draw: st.DrawFn, header: Header, data: st.SearchStrategy[bytes]) -> list[Section]:
    """The token sections of a valid file, in the order of the format."""
    if header.version == 1:
        places = [divmod(index, header.tile_count) for index in range(header.stage_count * header.tile_count)]
        return [Section(SectionType.TOKENS, stage, tile, draw(data)) for stage, tile in places]
    sections = []
    for tile in range(header.tile_count):
        total = draw(st.one_of(st.integers(0, header.first_calls), st.integers(0, MAX_CALLS)))
        cuts = draw(st.sets(st.integers(header.first_calls, max(header.first_calls, total - 1)), max_size=4))
        ends = sorted(cut for cut in {header.first_calls, *cuts} if cut < total)
        for first, end in pairwise([0, *ends, total]):
            sections.append(token_section(tile, Part(first, end, draw(data)), total))
    return sorted(sections, key=lambda section: key(header, section.stage, section.tile))


@st.composite
def frequency_tables(draw: st.DrawFn) -> FrequencyTables:
    """1 to 5 tables of 2 to 40 symbols: even, arbitrary, or with all weight on one symbol."""
    symbols = 2 * draw(st.integers(1, 20))
    free = TOTAL - symbols
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        cuts = draw(
            st.one_of(
                st.lists(st.integers(0, free), min_size=symbols - 1, max_size=symbols - 1),
                st.lists(st.sampled_from([0, 1, free - 1, free]), min_size=symbols - 1, max_size=symbols - 1),
                st.just([free * i // symbols for i in range(1, symbols)]),
            )
        )
        rows.append(np.diff([0, *sorted(cuts), free]))
    shift = draw(st.lists(st.integers(0, 16), min_size=len(rows), max_size=len(rows)))
    return FrequencyTables(np.array(rows, np.uint32), np.array(shift, np.uint8))


@st.composite
def calls(draw: st.DrawFn, tables: FrequencyTables) -> list[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Up to three calls of up to 30 values, near zero or anywhere in int32, with the tables they are coded with."""
    int32 = st.integers(-(2**31), 2**31 - 1)
    value = st.one_of(st.integers(-20, 20), int32, st.sampled_from([-(2**31), 2**31 - 1, -(2**16), 2**16]))
    table = st.integers(0, len(tables.shift) - 1)
    drawn = draw(st.lists(st.lists(st.tuples(value, table), max_size=30), max_size=3))
    return [(np.array([v for v, _ in call], np.int32), np.array([t for _, t in call], np.int64)) for call in drawn]


@st.composite
def hostile_files(draw: st.DrawFn) -> bytes:
    """Files whose checksums are all right and whose fields say anything."""
    sides = st.sampled_from([b"\0", b"\1", b"\x80\0", b"\xac\2", b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x1f"])
    body = (
        SIGNATURE
        + draw(st.sampled_from([b"\1", b"\2"]))
        + draw(sides)
        + draw(sides)
        + draw(st.binary(min_size=6, max_size=6))
        + bytes(8)
    )
    if draw(st.integers(0, 3)):
        body = write_header(draw(headers(side=600, stages=2)))[:-4]
    kind = st.sampled_from([1, 1, 1, 2, 128, 129, 130, 131, 132, 255, draw(st.integers(0, 255))])
    number = st.sampled_from([0, 0, 0, 0, 1, 2])
    stage = st.one_of(number, st.sampled_from([0, 1, 2, 3, 63, 65, 66, 67, 127, 128, 129, 130, 131, 191, 192]))
    data = st.one_of(st.binary(max_size=4), st.sampled_from([b"\2", b"\3", b"\4", b"\x3f"]))
    sections = draw(st.lists(st.builds(raw_section, kind, stage, number, data), max_size=4))
    return body + checksum(body) + b"".join(sections) + draw(st.sampled_from([END, END, END, b"", END + b"\0"]))
