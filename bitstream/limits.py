"""The limits of a reader, as in the table of `docs/format.md`, section 3.2.

All of them are checked before memory of the size in question is taken and before a network runs: here the size of the
picture, in `container.py` the sections, in `imgcodec/profiles` what a model would be asked for.
"""

import operator
from dataclasses import dataclass
from typing import Any

from imgcodec.bitstream.errors import InvalidFileError, UsageError

STRIDE = 64  # pixels: sides are rounded up to multiples of the coarsest stride of `photo` before tokens are counted
TOKEN_BYTES = 16  # per pixel, which has at most 1.27 tokens of 9.5 bytes, the worst that the coder can do
ROOM = 2**22  # pixels, so that a narrow picture under a small limit is not refused for its padding


@dataclass(frozen=True)
class Limits:
    """The most that a reader takes. pixels: of the picture. sections: of the file. metadata_bytes: of ICC, EXIF and XMP
    together, as stored, and of each when it is unpacked."""

    pixels: int = 2**28
    sections: int = 2**16
    metadata_bytes: int = 2**24

    @property
    def file_bytes(self) -> int:
        """Bytes of a .nic file: twice what noise takes at the highest quality, and room for metadata."""
        return 4 * self.pixels + 2**26


DEFAULT_LIMITS = Limits()


def whole(name: str, value: Any) -> int:
    """An argument as an int. Raises UsageError for anything but a whole number, of any type; a truth value is none."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise UsageError(f"The {name} is a whole number, not {value!r:.40}.")
    if abs(number) >= 2**63:
        raise UsageError(f"The {name} is too large a number.")
    return number


def rounded_area(width: int, height: int, unit: int) -> int:
    """Pixels of a rectangle with both sides rounded up to multiples of `unit`."""
    return -(-width // unit) * -(-height // unit) * unit**2


def check_size(width: int, height: int, pixels: int) -> None:
    """Raises InvalidFileError for a picture of more than `pixels`, or one so narrow that its padding is much larger."""
    if width * height > pixels:
        raise InvalidFileError(f"The picture of {width} x {height} pixels is over the limit of {pixels} pixels.")
    if rounded_area(width, height, STRIDE) > 2 * pixels + ROOM:
        raise InvalidFileError(f"The picture of {width} x {height} pixels is too narrow for its length.")


def largest_token_section(width: int, height: int) -> int:
    """The most bytes of a token section of a tile of that size in pixels."""
    return TOKEN_BYTES * rounded_area(width, height, STRIDE)
