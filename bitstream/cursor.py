"""Reading untrusted bytes from front to back, and the variable-length integer of the format.

A varint is little-endian base 128: seven bits per byte, the high bit set on every byte but the last. Values have 32
bits, so there are at most five bytes, and only the shortest form of a value is valid: one value, one spelling.
"""

from dataclasses import dataclass

from imgcodec.bitstream.errors import InvalidFileError

VARINT_MAX = 2**32 - 1


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

    data: bytes
    offset: int = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.offset

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes. Raises InvalidFileError where fewer are left."""
        if count > self.left:
            raise InvalidFileError(f"The file is cut short or damaged: {what} reaches past its end.")
        start, self.offset = self.offset, self.offset + count
        return self.data[start : self.offset]

    def integer(self, width: int, what: str) -> int:
        """The next `width` bytes as an unsigned little-endian integer. Raises InvalidFileError as `take`."""
        return int.from_bytes(self.take(width, what), "little")

    def varint(self, what: str) -> int:
        """The next varint, 0 .. 2**32 - 1. Raises InvalidFileError for a larger value or a longer spelling."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.integer(1, what)
            value |= (byte & 0x7F) << shift
            if byte <= 0x7F:
                if value > VARINT_MAX or (byte == 0 and shift > 0):
                    break
                return value
        raise InvalidFileError(f"The file is damaged: {what} is not a valid number.")
