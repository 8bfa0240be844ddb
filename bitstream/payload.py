"""What is inside the sections that hold no tokens: one zstandard frame each, and two numbers for the density.

ICC, EXIF and XMP are stored as they are. Alpha is stored row by row as differences to the pixel on the left, which
turns the ramps of a soft edge into runs: soft masks and gradients get a fifth to two thirds smaller that way, hard ones
a seventh larger.
"""

import numpy as np
import zstandard
from numpy.typing import NDArray

from imgcodec.bitstream.cursor import Cursor, varint
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.limits import DEFAULT_LIMITS

# The highest ordinary level takes up to a second a megabyte, most where there is noise, which gains least by it. So
# what is large gets it not, and what is large and noisy gets the quick one alone. An alpha of 12 megapixels takes 0.7 s
# instead of 14 s for 13 % more bytes where it is soft and noisy, 1.2 s instead of 4.9 s for 23 % where it is hard.
HIGHEST, HIGH, QUICK = 19, 16, 12
LARGE = 2**20
NOISY = 1 / 8  # of its size is left after the quick level


def pack_bytes(data: bytes) -> bytes:
    """`data` as one zstandard frame that states its content size."""
    if len(data) <= LARGE:
        return _frame(data, HIGHEST)
    quick = _frame(data, QUICK)
    return quick if len(quick) > NOISY * len(data) else _frame(data, HIGH)


def unpack_bytes(data: bytes, limit: int = DEFAULT_LIMITS.metadata_bytes) -> bytes:
    """The inverse of `pack_bytes`. Raises InvalidFileError for a damaged frame, and for more than `limit` bytes."""
    unpacked_size(data, limit)  # the library would believe the frame and allocate what it states
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError:
        raise InvalidFileError("A compressed section is not a valid zstandard frame.") from None


def unpacked_size(data: bytes, limit: int) -> int:
    """How many bytes a frame unpacks to, as it states. Raises InvalidFileError where it states none, or more than
    `limit`."""
    try:
        size: int = zstandard.frame_content_size(data)
    except zstandard.ZstdError:
        raise InvalidFileError("A compressed section is not a valid zstandard frame.") from None
    if not 0 <= size <= limit:
        raise InvalidFileError(f"A compressed section does not say that it unpacks to {limit} bytes at most.")
    return size


def pack_alpha(alpha: NDArray[np.uint8]) -> bytes:
    """Alpha (H, W), 0 transparent to 255 opaque, as the data of its section."""
    return pack_bytes(np.diff(alpha, axis=1, prepend=np.uint8(0)).tobytes())


def unpack_alpha(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Alpha (height, width) from the data of its section. Raises InvalidFileError where it is not that size."""
    rows = unpack_bytes(data, width * height)
    if len(rows) != width * height:
        raise InvalidFileError("The alpha section does not have the size of the picture.")
    differences = np.frombuffer(rows, np.uint8).reshape(height, width)
    return np.cumsum(differences, axis=1, dtype=np.uint8)


def pack_density(density: tuple[int, int]) -> bytes:
    """Pixels a metre, across and down, each 1 .. 2**32 - 1, as the data of their section."""
    return varint(density[0]) + varint(density[1])


def unpack_density(data: bytes) -> tuple[int, int]:
    """The inverse of `pack_density`. Raises InvalidFileError for data that hold no density."""
    cursor = Cursor(data)
    density = cursor.varint("the density"), cursor.varint("the density")
    if cursor.left or 0 in density:
        raise InvalidFileError("The density section does not hold two numbers above 0.")
    return density


def _frame(data: bytes, level: int) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_checksum=False, write_content_size=True).compress(data)
