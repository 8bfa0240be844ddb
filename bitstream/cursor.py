"""Reading untrusted bytes from front to back, in memory or in a file, and the variable-length integer of the format.

A varint is little-endian base 128: seven bits per byte, the high bit set on every byte but the last. Values have 32
bits, so there are at most five bytes, and only the shortest form of a value is valid: one value, one spelling.
"""

import os
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from imgcodec.bitstream.errors import InvalidFileError, UsageError

VARINT_MAX = 2**32 - 1
AHEAD = 64  # bytes: a header or the frame of a section comes with one read


class Slices(Protocol):
    """What a cursor reads: bytes, or a file that gives them when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


class FileSlices:
    """A binary file object that can seek, from where it stands to its end, as if it were bytes. Of a slice no more is
    read than AHEAD bytes or the slice itself. Whatever the file object raises is passed on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._start = file, file.tell()
        self._size = max(0, file.seek(0, os.SEEK_END) - self._start)
        self._held_from, self._held = 0, b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        """The bytes of a slice without a step. Raises InvalidFileError where the file has become shorter."""
        start, stop, _ = part.indices(self._size)
        if start < self._held_from or stop > self._held_from + len(self._held):
            count = max(stop - start, min(AHEAD, self._size - start))
            self._held_from, self._held = start, self._read(start, count)
        return self._held[start - self._held_from : stop - self._held_from]

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(self._start + start)
        gathered = b""
        while len(gathered) < count:
            chunk = self._file.read(count - len(gathered))
            if not isinstance(chunk, bytes):
                raise UsageError("A file object must be opened in binary mode, as by open(path, 'rb').")
            if not chunk:
                raise InvalidFileError("The file has become shorter while it was read.")
            gathered += chunk
        return gathered


def varint(value: int) -> bytes:
    """The varint, 1 to 5 bytes, of a value in 0 .. 2**32 - 1. Raises ValueError for others."""
    if not 0 <= value <= VARINT_MAX:
        raise ValueError(f"{value} does not fit a 32-bit varint.")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@dataclass
class Cursor:
    """A position in `data`. what: the name of the field, for messages. Nothing is allocated before it is checked."""

    data: Slices
    offset: int = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.offset

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes. Raises InvalidFileError where fewer are left."""
        start = self.offset
        self.skip(count, what)
        return self.data[start : self.offset]

    def skip(self, count: int, what: str) -> None:
        """Goes past the next `count` bytes. Raises InvalidFileError as `take`."""
        if count > self.left:
            raise InvalidFileError(f"The file is cut short or damaged: {what} reaches past its end.")
        self.offset += count

    def integer(self, width: int, what: str) -> int:
        """The next `width` bytes as an unsigned little-endian integer. Raises InvalidFileError as `take`."""
        return int.from_bytes(self.take(width, what), "little")

    def varint(self, what: str) -> int:
        """The next varint, 0 .. 2**32 - 1. Raises InvalidFileError for a larger value or a longer spelling."""
        value = 0
        for size, byte in enumerate(self.data[self.offset : self.offset + 5], 1):
            value |= (byte & 0x7F) << 7 * (size - 1)
            if byte <= 0x7F:
                if value > VARINT_MAX or (byte == 0 and size > 1):
                    break
                self.offset += size
                return value
        else:
            if self.left < 5:
                self.skip(5, what)  # past the end, which it says
        raise InvalidFileError(f"The file is damaged: {what} is not a valid number.")
