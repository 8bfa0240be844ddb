"""What a reader is willing to take on. `docs/format.md`, section 3.2, has the table.

All of it is checked before memory of the size in question is taken and before a network runs: here the size of the
picture, in `container.py` the sections, in `imgcodec/profiles` what a model would be asked for.
"""

from dataclasses import dataclass

from imgcodec.bitstream.errors import InvalidFileError

PLACE = 64  # pixels: the side of the largest place of a token
TOKEN_BYTES = 16  # a pixel has at most 1.27 tokens of 9.5 bytes, the worst that the coder can do
ROOM = 2**22  # so that a narrow picture under a small limit is not refused for its padding


@dataclass(frozen=True)
class Limits:
    """pixels: of the picture. sections: in the file. metadata_bytes: of ICC, EXIF and XMP, as stored, together, and
    what each of them unpacks to."""

    pixels: int = 2**28
    sections: int = 2**16
    metadata_bytes: int = 2**24

    @property
    def file_bytes(self) -> int:
        """Of a .nic file: twice what noise takes at the highest quality, and the metadata."""
        return 4 * self.pixels + 2**26


DEFAULT_LIMITS = Limits()


def rounded_area(width: int, height: int, unit: int) -> int:
    """Pixels of a rectangle with both sides rounded up to multiples of `unit`: what arrays of tokens are made for."""
    return -(-width // unit) * -(-height // unit) * unit**2


def check_size(width: int, height: int, pixels: int) -> None:
    """Raises InvalidFileError for a picture of more than `pixels`, or one so narrow that its tokens are many more."""
    if width * height > pixels:
        raise InvalidFileError(f"The picture of {width} x {height} pixels is over the limit of {pixels} pixels.")
    if rounded_area(width, height, PLACE) > 2 * pixels + ROOM:
        raise InvalidFileError(f"The picture of {width} x {height} pixels is too narrow for its length.")


def largest_token_section(width: int, height: int) -> int:
    """Bytes that a token section of a tile of that size may have."""
    return TOKEN_BYTES * rounded_area(width, height, PLACE)
