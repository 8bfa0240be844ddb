"""The cursor: numbers have one spelling, and nothing is read behind the end."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.bitstream.cursor import AHEAD, Cursor, FileSlices, varint
from imgcodec.bitstream.errors import InvalidFileError, UsageError


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


@given(st.binary(max_size=20), st.lists(st.integers(0, 8), max_size=5))
def test_bytes_are_taken_from_front_to_back(data, counts):
    cursor = Cursor(data)
    taken = b""
    for count in counts:
        if count > cursor.left:
            with pytest.raises(
                InvalidFileError, match=r"^The file is cut short or damaged: it reaches past its end\.$"
            ):
                cursor.take(count, "it")
        else:
            taken += cursor.take(count, "it")
        assert taken == data[: cursor.offset]
        assert cursor.left == len(data) - len(taken)


def test_integers_are_little_endian_and_whole():
    cursor = Cursor(b"\x01\x02\x03\x04")
    assert (cursor.integer(1, "it"), cursor.integer(2, "it"), cursor.left) == (1, 0x0302, 1)
    with pytest.raises(InvalidFileError, match="past its end"):
        cursor.integer(2, "it")
    assert cursor.offset == 3


def test_a_varint_that_is_cut_is_refused():
    for length in range(5):
        with pytest.raises(InvalidFileError, match="past its end"):
            Cursor(b"\xff" * length).varint("it")


class Trickle(io.BytesIO):
    """Gives three bytes at most at once, and counts what it gives."""

    given = 0

    def read(self, count=-1):
        chunk = super().read(min(count, 3))
        self.given += len(chunk)
        return chunk


@given(st.binary(max_size=300), st.integers(0, 10), st.lists(st.tuples(st.integers(0, 310), st.integers(0, 120))))
def test_slices_of_a_file_are_those_of_its_bytes(data, start, parts):
    file = Trickle(data)
    file.seek(min(start, len(data)))
    slices, rest = FileSlices(file), data[min(start, len(data)) :]
    assert len(slices) == len(rest)
    for offset, count in parts:
        before = file.given
        assert slices[offset : offset + count] == rest[offset : offset + count]
        assert file.given - before <= max(AHEAD, count)


def test_a_file_that_becomes_shorter_or_gives_text():
    file = io.BytesIO(bytes(200))
    slices = FileSlices(file)
    file.truncate(100)
    with pytest.raises(InvalidFileError, match="shorter"):
        slices[90:150]
    with pytest.raises(UsageError, match="binary"):
        FileSlices(io.StringIO("text"))[0:2]
