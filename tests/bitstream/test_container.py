"""The container: what is written comes back, and whatever else is read is refused with one clear error."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader import nic_reader
from strategies import contents, headers

from imgcodec.bitstream.container import Container, read, salvage, write
from imgcodec.bitstream.cursor import Cursor, varint
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import (
    RETIRED_PROFILES,
    SIGNATURE,
    ColourMode,
    Header,
    Profile,
    Tune,
    checksum,
    profile_named,
    write_header,
)
from imgcodec.bitstream.limits import Limits
from imgcodec.bitstream.sections import Section, SectionType

HEADER = Header(
    width=300,
    height=200,
    colour_mode=ColourMode.RGB,
    bit_depth=8,
    profile=Profile.PHOTO,
    tune=Tune.PSNR,
    quality=50 * 256,
    tile_size=0,
    stage_count=2,
    codebook_id=bytes(range(1, 9)),
)
TOKENS = [Section(SectionType.TOKENS, 0, 0, b""), Section(SectionType.TOKENS, 1, 0, bytes.fromhex("b6f537"))]
ICC = Section(SectionType.ICC, 0, 0, b"profile")
SMALL_FILE = write(HEADER, [*TOKENS, ICC])
END = bytes(4) + checksum(bytes(4))


def raw_section(kind: int, stage: int, tile: int, data: bytes) -> bytes:
    body = bytes([kind, stage]) + varint(tile) + varint(len(data)) + data
    return body + checksum(body)


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidFileError) as caught:
        read(data, limits or Limits())
    return str(caught.value)


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
    assert (found.tile_size, found.tile_count, found.stages) == (
        header.tile_size,
        header.tile_count,
        header.stage_count,
    )


def test_the_example_in_the_specification_is_what_is_written():
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    example = page.split("### 3.3 Example")[1].split("```")[1]
    data = bytes.fromhex("".join(line[:23] for line in example.splitlines()))
    assert write(HEADER, TOKENS) == data


def test_the_header_and_frame_of_a_plain_picture_take_36_bytes():
    container = read(write(replace(HEADER, width=6000, height=4000), [*TOKENS]))
    first = container.entries[0]
    assert first.offset + first.size - first.data_size - 4 <= 36


def test_a_container_gives_tokens_and_entries():
    container = read(SMALL_FILE)
    assert container.tokens() == [section.data for section in TOKENS]
    assert [entry.name for entry in container.entries] == ["icc", "tokens", "tokens", "end"]


@given(headers())
def test_tiles_cover_the_picture_once(header):
    rectangles = [header.tile_rectangle(tile) for tile in range(header.tile_count)]
    assert sum(rectangle.width * rectangle.height for rectangle in rectangles) == header.width * header.height
    assert len({(rectangle.left, rectangle.top) for rectangle in rectangles}) == header.tile_columns * header.tile_rows
    for rectangle in rectangles:
        assert rectangle.left + rectangle.width <= header.width
        assert rectangle.top + rectangle.height <= header.height
    with pytest.raises(UsageError):
        header.tile_rectangle(header.tile_count)


def test_every_flipped_bit_is_refused():
    for bit in range(8 * len(SMALL_FILE)):
        damaged = bytearray(SMALL_FILE)
        damaged[bit // 8] ^= 1 << bit % 8
        refusal(bytes(damaged))


def test_every_truncation_is_refused():
    for length in range(len(SMALL_FILE)):
        refusal(SMALL_FILE[:length])
    assert refusal(b"") == "The file is empty."


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=100).map(lambda tail: SIGNATURE + b"\1" + tail)))
def test_any_bytes_give_a_container_or_one_error(data):
    refusal(data)  # No such file has the right checksums.


@st.composite
def hostile_files(draw: st.DrawFn) -> bytes:
    """Files whose checksums are all right and whose fields say anything."""
    sides = st.sampled_from([b"\0", b"\1", b"\x80\0", b"\xac\2", b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x1f"])
    body = SIGNATURE + b"\1" + draw(sides) + draw(sides) + draw(st.binary(min_size=6, max_size=6)) + bytes(8)
    if draw(st.integers(0, 3)):
        body = write_header(draw(headers(side=600, stages=2)))[:-4]
    kind = st.sampled_from([1, 1, 1, 2, 128, 129, 130, 131, 132, 255, draw(st.integers(0, 255))])
    number = st.sampled_from([0, 0, 0, 0, 1, 2])
    sections = draw(st.lists(st.builds(raw_section, kind, number, number, st.binary(max_size=4)), max_size=4))
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


def test_an_unknown_version_is_named():
    assert refusal(SIGNATURE + b"\2anything") == "The file has format version 2, and this program reads version 1."


def test_messages_tell_other_files_from_damaged_ones():
    assert "not a .nic file" in refusal(b"\x89PNG\r\n\x1a\n" + bytes(50))
    assert "text mode" in refusal(SMALL_FILE.replace(b"\r\n", b"\n"))


def test_an_unknown_optional_section_is_skipped_and_an_unknown_critical_one_refused():
    size = len(write_header(HEADER))
    container = read(SMALL_FILE[:size] + raw_section(200, 7, 9, b"of tomorrow") + SMALL_FILE[size:])
    assert container.sections == read(SMALL_FILE).sections
    assert container.entries[0].name == "type 200"
    assert "type 100" in refusal(SMALL_FILE[:size] + raw_section(100, 0, 0, b"") + SMALL_FILE[size:])


def test_unknown_numbers_in_the_header_are_refused():
    body = write_header(HEADER)[:-4]
    picture = 8 + 1 + 2 + 2
    for offset, value, word in ((0, 0x27, "colour mode 2"), (1, 0x80, "profile 8"), (1, 0x12, "tune 2")):
        changed = bytearray(body)
        changed[picture + offset] = value
        assert word in refusal(bytes(changed) + checksum(bytes(changed)))


@pytest.mark.parametrize("number", RETIRED_PROFILES)
def test_retired_numbers_of_profiles_are_read_as_raster_and_never_written(number):
    assert number not in list(Profile)
    body = bytearray(write_header(replace(HEADER, profile=Profile.RASTER))[:-4])
    body[8 + 1 + 2 + 2 + 1] = number << 4
    header = bytes(body) + checksum(bytes(body))
    file = read(header + SMALL_FILE[len(header) :])
    assert file.header.profile == Profile.RASTER
    assert nic_reader.read(header + SMALL_FILE[len(header) :]).profile == Profile.RASTER
    assert write_header(file.header) == write_header(replace(HEADER, profile=Profile.RASTER)) != header


@pytest.mark.parametrize("name", ["", "jpeg", "PHOTO", "Raster"])
def test_names_of_profiles_and_retired_names_are_known(name):
    assert profile_named("photo") == Profile.PHOTO
    assert {profile_named(old) for old in ("raster", "tiny", "snac", "svqvae", "bsq", "pixelcnn")} == {Profile.RASTER}
    with pytest.raises(ValueError, match="is not known"):
        profile_named(name)


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


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 0},
        {"height": 2**32},
        {"bit_depth": 0},
        {"bit_depth": 17},
        {"quality": 25601},
        {"tile_size": 100},
        {"tile_size": 64 * 256},
        {"stage_count": 256},
        {"codebook_id": b"short"},
    ],
)
def test_a_header_out_of_range_cannot_be_made(fields):
    with pytest.raises(UsageError, match=r"^A header.*\.$"):
        replace(HEADER, **fields)


@given(st.integers(0, 2**32 - 1))
def test_a_varint_has_one_spelling(value):
    spelling = varint(value)
    assert Cursor(spelling).varint("it") == value
    longer = spelling[:-1] + bytes([spelling[-1] | 0x80, 0])
    with pytest.raises(InvalidFileError):
        Cursor(longer).varint("it")


def test_a_varint_has_at_most_32_bits():
    with pytest.raises(ValueError, match="32-bit"):
        varint(2**32)
    with pytest.raises(ValueError, match="32-bit"):
        varint(-1)
    assert Cursor(b"\xff\xff\xff\xff\x0f").varint("it") == 2**32 - 1
    for too_large in (b"\xff\xff\xff\xff\x1f", b"\xff\xff\xff\xff\xff\x01"):
        with pytest.raises(InvalidFileError):
            Cursor(too_large).varint("it")


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
    for wrong in (icc + icc, raw_section(7, 0, 0, b""), raw_section(1, 1, 0, b"") + raw_section(1, 0, 0, b"")):
        with pytest.raises(InvalidFileError):
            salvage(header + wrong + END)
    for length in range(len(header)):
        with pytest.raises(InvalidFileError):
            salvage(header[:length])


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
