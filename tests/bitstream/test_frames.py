"""Frames: what is written is read back, and nothing is read where a bit is wrong or a byte is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.bitstream.cursor import VARINT_MAX, Cursor
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.frames import LONGEST_FRAME, Entry, content, read_entry, read_frame, write_section
from imgcodec.bitstream.sections import Section, SectionType

SECTIONS = st.builds(
    Section, st.sampled_from(SectionType), st.integers(0, 255), st.integers(0, VARINT_MAX), st.binary(max_size=300)
)


@given(SECTIONS, st.binary(max_size=9), st.binary(max_size=9))
def test_a_section_comes_back_from_where_it_stands(section, before, behind):
    written = write_section(section)
    cursor = Cursor(before + written + behind, len(before))
    entry = read_entry(cursor, 0)
    assert entry == Entry(section.type, section.stage, section.tile, len(before), len(written), len(section.data))
    assert entry.name == section.type.name.lower()
    assert content(cursor, entry, 0) == section.data
    assert cursor.offset == len(before) + len(written)
    assert len(written) - len(section.data) - 4 <= LONGEST_FRAME
    assert read_frame(Cursor(written), "") == (section.type, section.stage, section.tile, len(section.data))


@given(SECTIONS, st.data())
def test_a_cut_and_a_flipped_bit_are_noticed(section, data):
    written = write_section(section)
    with pytest.raises(InvalidFileError):
        read_entry(Cursor(written[: data.draw(st.integers(0, len(written) - 1))]), 0)
    damaged = bytearray(written)
    bit = data.draw(st.integers(0, 8 * len(written) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidFileError):
        read_whole(bytes(damaged))


def read_whole(data: bytes) -> bytes:
    cursor = Cursor(data)
    return content(cursor, read_entry(cursor, 0), 0)
