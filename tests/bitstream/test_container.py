"""The container: what is written comes back, and whatever else is read is refused with one clear error."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader import nic_reader
from small_file import END, HEADER, ICC, SMALL_FILE, TOKENS, raw_section, refusal
from strategies import contents, headers

from imgcodec.bitstream.container import Container, read, read_part, salvage, write
from imgcodec.bitstream.cursor import FileSlices, varint
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import SIGNATURE, checksum, write_header
from imgcodec.bitstream.limits import Limits
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.bitstream.token_sections import Part, TileTokens, token_section


@given(contents(), st.randoms())
def test_written_sections_are_read_back_in_the_order_of_the_format(file, random):
    header, sections = file
    shuffled = random.sample(sections, len(sections))
    data = write(header, shuffled)
    container = read(data)
    assert container.header == header
    assert list(container.sections) == sections
    assert container.header_size + sum(entry.size for entry in container.entries) == len(data)
    assert [entry.type for entry in container.entries] == [*(section.type for section in sections), SectionType.END]
    for section, entry in zip(sections, container.entries, strict=False):
        assert data[entry.offset : entry.offset + entry.size - 4].endswith(section.data)
        assert entry.data_size == len(section.data)


@given(contents())
def test_the_independent_reader_reads_the_same(file):
    header, sections = file
    found = nic_reader.read(write(header, sections))
    assert found.sections == [(section.type, section.stage, section.tile, section.data) for section in sections]
    assert (found.width, found.height, found.quality) == (header.width, header.height, header.quality)
    assert (found.colour_mode, found.bit_depth) == (header.colour_mode, header.bit_depth)
    assert (found.profile, found.tune, found.codebook_id) == (header.profile, header.tune, header.codebook_id)
    assert (found.tile_size, found.tile_count) == (header.tile_size, header.tile_count)
    assert (found.stages, found.first_calls) == (header.stage_count, header.first_calls)
    for tile, tokens in enumerate(read(write(header, sections)).tokens()):
        assert tokens.is_whole
        parts = [(part.first, part.end, part.data) for part in tokens.parts]
        if header.version == 1:
            assert parts == [(stage, stage + 1, found.tokens(stage, tile)) for stage in range(header.stage_count)]
        else:
            assert (tokens.total, parts) == found.calls(tile)


def test_the_example_in_the_specification_is_what_is_written():
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    _, first, _, second, *_ = page.split("### 3.3 Example")[1].split("```")
    data = [bytes.fromhex("".join(line[:23] for line in text.splitlines())) for text in (first, second)]
    assert write(HEADER, TOKENS) == data[0]
    parts = [Part(0, 2, b""), Part(2, 3, TOKENS[1].data)]
    assert write(replace(HEADER, first_calls=2), [token_section(0, part, 3) for part in parts]) == data[1]


def test_a_container_gives_tokens_and_entries():
    container = read(SMALL_FILE)
    assert container.tokens() == [TileTokens(2, (Part(0, 1, TOKENS[0].data), Part(1, 2, TOKENS[1].data)))]
    assert [entry.name for entry in container.entries] == ["icc", "tokens", "tokens", "end"]


def test_every_flipped_bit_is_refused():
    for bit in range(8 * len(SMALL_FILE)):
        damaged = bytearray(SMALL_FILE)
        damaged[bit // 8] ^= 1 << bit % 8
        refusal(bytes(damaged))


def test_every_truncation_is_refused():
    for length in range(len(SMALL_FILE)):
        refusal(SMALL_FILE[:length])
    assert refusal(b"") == "The file is empty."


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=100).map(lambda tail: SIGNATURE + b"\2" + tail)))
def test_any_bytes_give_a_container_or_one_error(data):
    refusal(data)  # No such file has the right checksums.


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


@settings(max_examples=400)
@given(hostile_files())
def test_hostile_files_give_a_container_or_one_error_and_both_readers_agree(data):
    try:
        result = read(data)
    except InvalidFileError:
        with pytest.raises(ValueError):  # noqa: PT011 - the other reader has no words for what is wrong
            nic_reader.read(data)
    else:
        assert isinstance(result, Container)
        assert nic_reader.read(data).width == result.header.width


def test_an_unknown_optional_section_is_skipped_and_an_unknown_critical_one_refused():
    size = len(write_header(HEADER))
    container = read(SMALL_FILE[:size] + raw_section(200, 7, 9, b"of tomorrow") + SMALL_FILE[size:])
    assert container.sections == read(SMALL_FILE).sections
    assert container.entries[0].name == "type 200"
    assert "type 100" in refusal(SMALL_FILE[:size] + raw_section(100, 0, 0, b"") + SMALL_FILE[size:])


@pytest.mark.parametrize("tile_size", [0, 64])
def test_a_picture_of_two_to_the_62_pixels_is_refused(tile_size):
    bomb = replace(HEADER, width=2**31, height=2**31, tile_size=tile_size)
    assert "2147483648 x 2147483648" in refusal(write_header(bomb) + END)


def test_each_limit_refuses_a_file_beyond_it():
    assert "limit of 59999 pixels" in refusal(SMALL_FILE, Limits(pixels=59999))
    assert read(SMALL_FILE, Limits(pixels=60000, sections=4, metadata_bytes=7))
    assert "more than 3 sections" in refusal(SMALL_FILE, Limits(sections=3))
    assert "metadata" in refusal(SMALL_FILE, Limits(metadata_bytes=6))
    many = replace(HEADER, width=16000, height=16000, tile_size=64, stage_count=2)
    assert "62500 tiles" in refusal(write_header(many) + END)


def test_a_length_beyond_the_file_is_refused():
    huge = bytes([1, 0, 0]) + varint(2**32 - 1)
    assert "past its end" in refusal(write_header(HEADER) + huge)


def test_missing_unordered_and_repeated_sections_are_refused():
    header = write_header(HEADER)
    first, second = (raw_section(1, stage, 0, b"") for stage in (0, 1))
    assert read(header + first + second + END)
    for wrong in (first, second, second + first, first + first + second, first + second + second):
        refusal(header + wrong + END)
    icc = raw_section(128, 0, 0, b"")
    assert "more than one ICC" in refusal(header + icc + first + second + icc + END)
    assert "ALPHA" in refusal(header + first + second + raw_section(2, 1, 0, b"") + END)
    assert "end section" in refusal(header + first + second + raw_section(0, 0, 0, b"x"))


def test_the_writer_refuses_what_the_reader_refuses():
    for sections in ([], TOKENS[:1], [*TOKENS, TOKENS[0]], [*TOKENS, ICC, ICC], [*TOKENS, replace(ICC, tile=1)]):
        with pytest.raises(UsageError):
            write(HEADER, sections)
    with pytest.raises(UsageError):
        write(HEADER, [*TOKENS, Section(SectionType.END, 0, 0, b"")])


# Parts of files


@given(contents(), st.data())
def test_what_is_wanted_is_read_and_nothing_else(file, data):
    header, sections = file
    whole = write(header, sections)
    entries = read(whole).entries
    chosen = data.draw(st.sets(st.sampled_from(range(len(sections))))) if sections else set()
    wanted = {entries[number].offset for number in chosen}
    slices = FileSlices(io.BytesIO(whole))
    for source in (whole, slices):
        found = read_part(source, lambda entry: entry.offset in wanted)
        assert (found.header, found.entries) == (header, entries)
        assert list(found.sections) == [sections[number] for number in sorted(chosen)]
    others = [entry for entry in entries[:-1] if entry.offset not in wanted and entry.data_size]
    if others:
        damaged = bytearray(whole)
        for entry in others:
            damaged[entry.offset + entry.size - 5] ^= 255
        assert read_part(bytes(damaged), lambda entry: entry.offset in wanted).sections == found.sections
    for number in chosen:
        damaged = bytearray(whole)
        damaged[entries[number].offset + entries[number].size - 1] ^= 1
        with pytest.raises(InvalidFileError):
            read_part(bytes(damaged), lambda entry: entry.offset in wanted)


@given(st.one_of(st.binary(max_size=100), hostile_files()), st.integers(0, 7))
def test_a_part_of_any_bytes_is_a_container_or_one_error(data, mask):
    try:
        found = read_part(FileSlices(io.BytesIO(data)), lambda entry: bool(mask >> entry.type % 3 & 1))
    except InvalidFileError:
        return
    assert found.header_size + sum(entry.size for entry in found.entries) == len(data)


def test_limits_of_a_part_are_those_of_what_is_read():
    assert read_part(SMALL_FILE, lambda _: False, Limits(pixels=1)).sections == ()
    large = replace(HEADER, width=5000, height=5000)  # a file may be larger than what is read of it
    data = write(large, [replace(section, data=bytes(2**20)) for section in TOKENS])
    few = Limits(pixels=1)
    assert len(read_part(data, lambda entry: entry.stage == 1, few).sections) == 1
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Limits, "file_bytes", 2**20)
        assert len(read_part(data, lambda entry: entry.stage == 1, few).sections) == 1
        with pytest.raises(InvalidFileError, match="sections to read"):
            read_part(data, lambda _: True, few)
    with pytest.raises(InvalidFileError, match="more than 3 sections"):
        read_part(SMALL_FILE, lambda _: False, Limits(sections=3))


# Damaged and cut files


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
