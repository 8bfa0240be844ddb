"""Damaged and cut files: whatever is whole of them is found, and what is not is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_file import END, HEADER, ICC, TOKENS, raw_section, refusal
from strategies import contents, hostile_files

from imgcodec.bitstream.container import read, write
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import checksum, write_header
from imgcodec.bitstream.salvage import salvage
from imgcodec.bitstream.sections import Section, SectionType


@given(contents(), st.data())
def test_salvage_finds_every_section_but_the_damaged_one(file, data):
    header, sections = file
    whole = write(header, sections)
    entries = read(whole).entries
    index = data.draw(st.integers(0, len(entries) - 1))
    entry = entries[index]
    bits = data.draw(
        st.sets(st.integers(8 * entry.offset, 8 * (entry.offset + entry.size) - 1), min_size=1, max_size=3)
    )
    damaged = bytearray(whole)
    for bit in bits:
        damaged[bit // 8] ^= 1 << bit % 8
    refusal(bytes(damaged))
    found = salvage(bytes(damaged))
    assert found.file.header == header
    assert found.file.sections == (*sections[:index], *sections[index + 1 :])
    assert [(gap.offset, gap.size) for gap in found.gaps] == [(entry.offset, entry.size)]
    assert found.gaps[0].is_tokens == (entry.type == SectionType.TOKENS)
    assert found.has_end == (entry.type != SectionType.END)
    assert found.damage == (found.gaps if found.has_end else ())


@given(contents(), st.data())
def test_salvage_of_a_cut_file_gives_its_whole_sections(file, data):
    header, sections = file
    whole = write(header, sections)
    sound = read(whole)
    length = data.draw(st.integers(sound.header_size, len(whole)))
    found = salvage(whole[:length])
    assert found.file.sections == tuple(
        section for section, entry in zip(sections, sound.entries, strict=False) if entry.offset + entry.size <= length
    )
    assert found.has_end == (length == len(whole))
    assert found.damage == ()


@given(st.one_of(st.binary(max_size=100), hostile_files()))
def test_salvage_gives_sections_or_one_error(data):
    try:
        found = salvage(data)
    except InvalidFileError:
        return
    parts = sorted([*found.file.entries, *found.gaps], key=lambda part: part.offset)
    assert found.file.header_size + sum(part.size for part in parts) == len(data)


def test_salvage_refuses_files_that_are_invalid_but_undamaged():
    header, icc = write_header(HEADER), raw_section(128, 0, 0, b"profile")
    for wrong in (raw_section(7, 0, 0, b""), icc + raw_section(7, 0, 0, b"")):
        with pytest.raises(InvalidFileError):
            salvage(header + wrong + END)
    for length in range(len(header)):
        with pytest.raises(InvalidFileError):
            salvage(header[:length])


@given(contents(), st.data())
def test_salvage_puts_sections_in_order_and_drops_copies(file, data):
    header, sections = file
    whole = write(header, sections)
    there = read(whole)
    pieces = [whole[entry.offset : entry.offset + entry.size] for entry in there.entries[:-1]]
    copies = data.draw(st.lists(st.sampled_from(pieces), max_size=3)) if pieces else []
    mixed = data.draw(st.permutations([*pieces, *copies]))
    has_end = data.draw(st.booleans())
    changed = whole[: there.header_size] + b"".join(mixed) + END * has_end
    found = salvage(changed)
    assert sorted(found.file.sections, key=repr) == sorted(sections, key=repr)
    assert found.tokens() == there.tokens()
    assert found.has_end == has_end
    tokens = [piece for piece in mixed if piece[0] == SectionType.TOKENS]
    is_changed = bool(copies) or tokens != [piece for piece in pieces if piece[0] == SectionType.TOKENS]
    assert bool(found.damage) == is_changed
    assert all(gap.is_misplaced for gap in found.gaps)
    parts = [*found.file.entries, *found.gaps]
    assert there.header_size + sum(part.size for part in parts) == len(changed)


def test_salvage_drops_what_no_picture_has():
    header, icc = write_header(HEADER), raw_section(128, 0, 0, b"profile")
    wrong = raw_section(129, 1, 0, b"exif") + raw_section(1, 2, 0, b"stage") + raw_section(1, 0, 1, b"tile")
    found = salvage(header + icc + icc + wrong + END)
    assert [(gap.name, gap.is_misplaced) for gap in found.damage] == [("icc", True), ("exif", True), ("tokens", True)]
    assert found.file.sections == (ICC,)


def test_salvage_names_what_is_damaged():
    data = write(HEADER, [*TOKENS, ICC, Section(SectionType.XMP, 0, 0, b"packet")])
    for entry in read(data).entries[:-1]:
        damaged = bytearray(data)
        damaged[entry.offset + entry.size - 1] ^= 1
        assert [gap.name for gap in salvage(bytes(damaged)).gaps] == [entry.name]
    assert [gap.name for gap in salvage(data + b"more").gaps] == ["unknown"]


@pytest.mark.parametrize("beginning", [b"\1\1\0\xff\xff\x0f", b"\x80\0\0\x80\x80\x04", b"\1\0\0\0"])
def test_salvage_takes_linear_time_for_a_file_full_of_section_beginnings(monkeypatch, beginning):
    """Each of the sections that begin here claims the rest of the file, or is one more to be looked at."""
    data, work = write_header(HEADER) + beginning * 100_000, 0

    def counted(part):
        nonlocal work
        work += len(part) + 100
        return checksum(part)

    monkeypatch.setattr("imgcodec.bitstream.header.checksum", counted)
    assert salvage(data).file.sections == ()
    assert 0 < work < 20 * len(data) + 2**21
