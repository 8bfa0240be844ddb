"""Token sections of version 2: what fits together is read, all else is refused, and what is missing is known."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_file import END, HEADER, raw_section, refusal
from strategies import headers, token_sections

from imgcodec.bitstream.container import read, write
from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import Profile, write_header
from imgcodec.bitstream.salvage import salvage
from imgcodec.bitstream.token_sections import (
    Part,
    TileTokens,
    check_tokens,
    check_whole,
    key,
    missing,
    tiles_of,
    token_section,
)

CALLS = replace(HEADER, first_calls=4)  # one tile


def file_of(*sections):
    """The file of (stage field, data) of tile 0."""
    return write_header(CALLS) + b"".join(raw_section(1, field, 0, data) for field, data in sections) + END


def test_a_tile_is_read_in_parts():
    tiles = read(file_of((9, b"a"), (64 + 4, b"\6b"), (64 + 6, b"\7c"), (128 + 7, b"d"))).tokens()
    assert tiles == [TileTokens(9, (Part(0, 4, b"a"), Part(4, 6, b"b"), Part(6, 7, b"c"), Part(7, 9, b"d")))]
    assert read(file_of((3, b"a"))).tokens() == [TileTokens(3, (Part(0, 3, b"a"),))]
    assert read(file_of((0, b""))).tokens() == [TileTokens(0, (Part(0, 0, b""),))]
    assert read(file_of((63, b""), (128 + 4, b""))).tokens()[0].is_whole


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ([], "call 0, tile 0 are missing"),
        ([(5, b"")], "call 4, tile 0 are missing"),
        ([(128 + 4, b"")], "call 0, tile 0 are missing"),
        ([(9, b""), (64 + 4, b"\6")], "call 6, tile 0 are missing"),
        ([(9, b""), (64 + 4, b"\6"), (128 + 7, b"")], "call 6, tile 0 are missing"),
        ([(9, b""), (128 + 5, b"")], "call 4, tile 0 are missing"),
        ([(4, b""), (128 + 4, b"")], "do not fit together"),
        ([(3, b""), (128 + 4, b"")], "do not fit together"),
        ([(0, b""), (128 + 4, b"")], "do not fit together"),
        ([(9, b""), (64 + 4, b"\12")], "do not fit together"),
        ([(9, b""), (64 + 4, b"\11")], "do not fit together"),
        ([(9, b""), (64 + 4, b"\7"), (128 + 6, b"")], "do not fit together"),
        ([(9, b""), (64 + 4, b"\7"), (64 + 5, b"\6"), (128 + 7, b"")], "do not fit together"),
        ([(9, b""), (128 + 4, b""), (128 + 6, b"")], "do not fit together"),
        ([(9, b""), (64 + 4, b"\4"), (128 + 4, b"")], "not where they belong"),
        ([(9, b""), (64 + 4, b"")], "not where they belong"),
        ([(9, b""), (64 + 4, b"\x40")], "not where they belong"),
        ([(9, b""), (128 + 3, b"")], "not where they belong"),
        ([(9, b""), (64 + 3, b"\5")], "not where they belong"),
        ([(9, b""), (192 + 4, b"")], "not where they belong"),
        ([(9, b""), (255, b"")], "not where they belong"),
        ([(9, b""), (9, b"")], "not where they belong"),
        ([(128 + 4, b""), (9, b"")], "not where they belong"),
    ],
)
def test_what_does_not_fit_together_is_refused(sections, told):
    data = file_of(*sections)
    assert told in refusal(data)
    found = salvage(data).file.sections  # those of them that fit together
    check_tokens(CALLS, found)
    assert {section.stage for section in found} >= {field for field, _ in sections if field == 9}


def test_headers_of_version_2_have_calls_and_the_profile_photo():
    for wrong in ({"first_calls": 64}, {"first_calls": -1}, {"profile": Profile.RASTER}, {"stage_count": 1}):
        with pytest.raises(UsageError):
            replace(CALLS, **wrong)
    data = bytearray(write_header(CALLS)[:-4])
    data[18] = 0
    assert write_header(CALLS)[18] == 4
    from imgcodec.bitstream.header import checksum

    assert "hold no calls" in refusal(bytes(data) + checksum(bytes(data)) + END)


@settings(max_examples=50)
@given(st.data())
def test_what_is_missing_is_known(data):
    header = data.draw(headers(side=600))
    sections = data.draw(token_sections(header, st.binary(max_size=3)))
    check_whole(header, sections)
    assert missing(header, sections) == []
    kept = [s for s in sections if data.draw(st.booleans())]
    lost = sorted(key(header, s.stage, s.tile) for s in sections if s not in kept)
    told = missing(header, kept)
    assert set(told) <= set(lost)
    assert bool(told) == bool(lost)
    for tile, tokens in enumerate(tiles_of(header, kept)):
        firsts = [first for first, at in lost if at == tile]
        assert tokens.is_whole == (not firsts)
        if firsts:
            assert (min(firsts), tile) in told
            assert tokens.end == min(firsts)


def test_a_lost_section_is_told_from_a_tile_that_ends_there():
    """Tiles 0 and 2 end where tile 1 has another section, which is damaged."""
    header = replace(CALLS, width=600, tile_size=256)
    sections = [
        token_section(tile, part, total)
        for tile, total in ((0, 6), (1, 9), (2, 6))
        for part in ([Part(0, 4, b"a"), Part(4, 6, b"b")] + ([Part(6, 9, b"c")] if total == 9 else []))
    ]
    data = write(header, sections)
    entry = read(data).entries[-2]
    found = salvage(data[: entry.offset + 5] + b"\xff" + data[entry.offset + 6 :])
    assert [tile.is_whole for tile in found.tokens()] == [True, False, True]
    assert [(gap.name, gap.offset) for gap in found.damage] == [("tokens", entry.offset)]
