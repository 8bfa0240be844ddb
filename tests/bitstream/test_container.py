"""The container: what is written comes back, and whatever else is read is refused with one clear error."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader import nic_reader
from small_file import END, HEADER, ICC, SMALL_FILE, TOKENS, raw_section, refusal
from strategies import contents, hostile_files

from imgcodec.bitstream.container import Container, read, read_part, write
from imgcodec.bitstream.cursor import FileSlices, varint
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import SIGNATURE, write_header
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
