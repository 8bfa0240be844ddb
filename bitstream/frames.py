"""The frame of a section: type, stage, tile, length and checksum around its data."""

from dataclasses import dataclass

from imgcodec.bitstream.cursor import Cursor, varint
from imgcodec.bitstream.header import CRC_BYTES, check_checksum, checksum
from imgcodec.bitstream.sections import Section, SectionType

LONGEST_FRAME = 12  # bytes of a section before its data


@dataclass(frozen=True)
class Entry:
    """The place of a section in a file: `size` bytes from `offset`, of which `data_size` are data, the rest its frame.

    `type` is a plain number, because sections that this version skips have entries too, and so has the end.
    """

    type: int
    stage: int
    tile: int
    offset: int
    size: int
    data_size: int

    @property
    def name(self) -> str:
        """`tokens`, `icc` ..., or `type 200` where this version has no name for it."""
        try:
            return SectionType(self.type).name.lower()
        except ValueError:
            return f"type {self.type}"


def write_section(section: Section) -> bytes:
    frame = bytes([section.type, section.stage]) + varint(section.tile) + varint(len(section.data))
    body = frame + section.data
    return body + checksum(body)


def read_frame(cursor: Cursor, what: str) -> tuple[int, int, int, int]:
    """Type, stage, tile and length of a section, unchecked."""
    frame = Cursor(cursor.data[cursor.offset : cursor.offset + LONGEST_FRAME])  # by one slice, for files have many
    number = frame.integer(1, what)
    stage = frame.integer(1, what)
    tile, length = frame.varint(f"the tile of {what}"), frame.varint(f"the length of {what}")
    cursor.offset += frame.offset
    return number, stage, tile, length


def read_entry(cursor: Cursor, index: int) -> Entry:
    """The section at the cursor, by its frame alone; the cursor goes past the section. Raises InvalidFileError where it
    reaches past the end."""
    what, offset = f"section {index}", cursor.offset
    number, stage, tile, size = read_frame(cursor, what)
    cursor.skip(size, what)
    cursor.skip(CRC_BYTES, f"the checksum of {what}")
    return Entry(number, stage, tile, offset, cursor.offset - offset, size)


def content(cursor: Cursor, entry: Entry, index: int) -> bytes:
    """The data of the section that the cursor has gone past. Raises InvalidFileError where the checksum is wrong."""
    what, cursor.offset = f"section {index}", entry.offset
    body = cursor.take(entry.size - CRC_BYTES, what)
    check_checksum(cursor, entry.offset, what)
    return body[len(body) - entry.data_size :]
