"""The header: every field comes back, and numbers that no header has are refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reader import nic_reader
from small_file import HEADER, SMALL_FILE, TOKENS, refusal
from strategies import headers

from imgcodec.bitstream.container import read, write
from imgcodec.bitstream.cursor import Cursor
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import (
    RETIRED_PROFILES,
    SIGNATURE,
    Profile,
    checksum,
    profile_named,
    read_header,
    write_header,
)


@given(headers(), st.binary(max_size=5), st.binary(max_size=5))
def test_a_header_comes_back_and_the_cursor_is_behind_it(header, before, after):
    written = write_header(header)
    cursor = Cursor(before + written + after, len(before))
    assert read_header(cursor) == header
    assert cursor.left == len(after)


def test_every_flipped_bit_of_a_header_is_refused_and_so_is_every_cut():
    written = write_header(HEADER)
    for bit in range(8 * len(written)):
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidFileError):
            read_header(Cursor(bytes(damaged)))
    for length in range(len(written)):
        with pytest.raises(InvalidFileError):
            read_header(Cursor(written[:length]))


def test_the_checksum_is_crc32c():
    assert checksum(b"123456789") == (0xE3069283).to_bytes(4, "little")


def test_the_header_and_frame_of_a_plain_picture_take_36_bytes():
    container = read(write(replace(HEADER, width=6000, height=4000), [*TOKENS]))
    first = container.entries[0]
    assert first.offset + first.size - first.data_size - 4 <= 36


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


def test_an_unknown_version_is_named():
    assert (
        refusal(SIGNATURE + b"\3anything") == "The file has format version 3, and this program reads versions 1 and 2."
    )


def test_messages_tell_other_files_from_damaged_ones():
    assert "not a .nic file" in refusal(b"\x89PNG\r\n\x1a\n" + bytes(50))
    assert "text mode" in refusal(SMALL_FILE.replace(b"\r\n", b"\n"))


def test_unknown_numbers_in_the_header_are_refused():
    body = write_header(HEADER)[:-4]
    picture = 8 + 1 + 2 + 2
    wrong = (0, 0x47, "colour mode 4"), (0, 0x27, "Alpha is a channel"), (1, 0x80, "profile 8"), (1, 0x12, "tune 2")
    for offset, value, word in wrong:
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


@pytest.mark.parametrize(
    "change",
    [
        {"width": 97.0},
        {"quality": 5.5},
        {"tune": None},
        {"colour_mode": 5},
        {"profile": 1},
        {"codebook_id": "12345678"},
    ],
)
def test_fields_of_other_types_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        replace(HEADER, **change)  # type: ignore[arg-type]
