"""What is inside the sections that hold no tokens: one zstandard frame each.

ICC, EXIF and XMP are stored as they are. Alpha is stored row by row as differences to the pixel on the left, which
turns the ramps of a soft edge into runs: soft masks and gradients get a fifth to two thirds smaller that way, hard ones
a seventh larger.
"""

import numpy as np
import zstandard
from numpy.typing import NDArray

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.limits import DEFAULT_LIMITS

LEVEL = 19


def pack(data: bytes) -> bytes:
    """`data` as one zstandard frame that states its content size."""
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=False, write_content_size=True).compress(data)


def unpack(data: bytes, limit: int = DEFAULT_LIMITS.metadata_bytes) -> bytes:
    """What `pack` was given. Raises InvalidFileError for a damaged frame and for one of more than `limit` bytes."""
    unpacked_size(data, limit)  # the library would believe the frame and allocate what it states
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError:
        raise InvalidFileError("A compressed section is not a valid zstandard frame.") from None


def unpacked_size(data: bytes, limit: int) -> int:
    """How many bytes `unpack` would give. Raises InvalidFileError where the frame does not say, or says too much."""
    try:
        size: int = zstandard.frame_content_size(data)
    except zstandard.ZstdError:
        raise InvalidFileError("A compressed section is not a valid zstandard frame.") from None
    if not 0 <= size <= limit:
        raise InvalidFileError(f"A compressed section does not say that it unpacks to {limit} bytes at most.")
    return size


def pack_alpha(alpha: NDArray[np.uint8]) -> bytes:
    """Alpha (H, W), 0 transparent to 255 opaque, as the data of its section."""
    return pack(np.diff(alpha, axis=1, prepend=np.uint8(0)).tobytes())


def unpack_alpha(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Alpha (height, width) from the data of its section. Raises InvalidFileError where it is not that size."""
    rows = unpack(data, width * height)
    if len(rows) != width * height:
        raise InvalidFileError("The alpha section does not have the size of the picture.")
    differences = np.frombuffer(rows, np.uint8).reshape(height, width)
    return np.cumsum(differences, axis=1, dtype=np.uint8)
