"""The data of the sections that hold no tokens: one zstandard frame each, and two numbers for the density.

ICC, EXIF and XMP are stored unchanged. Alpha is stored row by row as differences to the pixel on the left, which turns
the ramps of a soft edge into runs: soft masks and gradients get a fifth to two thirds smaller, hard ones a seventh
larger.
"""

import io
from collections.abc import Iterator

import numpy as np
import zstandard
from numpy.typing import NDArray

from imgcodec.bitstream.cursor import Cursor, varint
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import Rectangle
from imgcodec.bitstream.limits import DEFAULT_LIMITS

# Levels of zstandard. The highest takes up to a second per megabyte, most for noise, which gains least by it. So large
# data gets a lower one, and large noisy data the quick one. An alpha of 12 megapixels takes 0.7 s instead of 14 s for
# 13 % more bytes where it is soft and noisy, 1.2 s instead of 4.9 s for 23 % where it is hard.
HIGHEST, HIGH, QUICK = 19, 16, 12
LARGE = 2**20  # bytes
NOISY = 1 / 8  # of the size is left after the quick level

PIECE = 64  # bytes of a frame that states no content, which unpack to 2 MiB at most
BAND = 2**20  # bytes of alpha that are unpacked at once where only a part of it is wanted


def pack_bytes(data: bytes) -> bytes:
    """`data` as one zstandard frame that states its content size."""
    if len(data) <= LARGE:
        return _frame(data, HIGHEST)
    quick = _frame(data, QUICK)
    return quick if len(quick) > NOISY * len(data) else _frame(data, HIGH)


def unpack_bytes(data: bytes, limit: int = DEFAULT_LIMITS.metadata_bytes) -> bytes:
    """The inverse of `pack_bytes`. Raises InvalidFileError for a damaged frame, and for more than `limit` bytes."""
    size = unpacked_size(data, limit)  # the library would believe the frame and allocate what it states
    try:
        if size == 0:  # where it would look no further
            _check_empty(data)
            return b""
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError:
        raise InvalidFileError("A compressed section is not a valid zstandard frame.") from None


def _check_empty(data: bytes) -> None:
    """Raises ZstdError for a frame that states no content and has some, is not whole, or has something behind it."""
    stream = zstandard.ZstdDecompressor().decompressobj()
    for start in range(0, len(data), PIECE):
        if stream.eof or stream.decompress(data[start : start + PIECE]):
            raise zstandard.ZstdError
    if not stream.eof or stream.unused_data:
        raise zstandard.ZstdError


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
    """Alpha (height, width) from the data of its section. Raises InvalidFileError where it has another
    size."""
    rows = unpack_bytes(data, width * height)
    if len(rows) != width * height:
        raise InvalidFileError("The alpha section does not have the size of the picture.")
    return _sums(rows, width)


def unpack_alpha_region(data: bytes, width: int, height: int, region: Rectangle) -> NDArray[np.uint8]:
    """The alpha of a region, of that of (height, width). No more rows are unpacked than down to its end, and none
    behind it is looked at. Raises InvalidFileError as `unpack_alpha`."""
    found = np.empty((region.height, region.width), np.uint8)
    rows = max(1, BAND // width)
    for top, band in zip(range(0, region.top + region.height, rows), _bands(data, width, height, rows), strict=False):
        first, end = max(top, region.top), min(top + len(band), region.top + region.height)
        if first < end:
            part = band[first - top : end - top, region.left : region.left + region.width]
            found[first - region.top : end - region.top] = part
    return found


def unpack_reduced_alpha(data: bytes, width: int, height: int, reduction: int) -> NDArray[np.uint8]:
    """Means of alpha (height, width) over squares of `reduction` pixels a side; the last ones are as if the picture
    went on as it ends. Raises InvalidFileError as `unpack_alpha`."""
    means = []
    for band in _bands(data, width, height, reduction):
        short = ((0, reduction - len(band)), (0, -width % reduction))
        whole = np.pad(band, short, mode="edge").reshape(reduction, -1, reduction)
        means.append(whole.mean((0, 2), dtype=np.float32).round().astype(np.uint8))
    return np.stack(means)


def _bands(data: bytes, width: int, height: int, rows: int) -> Iterator[NDArray[np.uint8]]:
    """Alpha from the top, so many rows at a time, (rows, width); the last band may have less. No more is unpacked than
    is asked for."""
    if unpacked_size(data, width * height) != width * height:
        raise InvalidFileError("The alpha section does not have the size of the picture.")
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as reader:
        for top in range(0, height, rows):
            wanted = width * min(rows, height - top)
            try:
                band = reader.read(wanted)  # as many as there are
            except zstandard.ZstdError:
                band = b""
            if len(band) != wanted:
                raise InvalidFileError("A compressed section is not a valid zstandard frame.")
            yield _sums(band, width)


def _sums(rows: bytes, width: int) -> NDArray[np.uint8]:
    """Rows of differences -> of alpha (rows, width)."""
    return np.cumsum(np.frombuffer(rows, np.uint8).reshape(-1, width), axis=1, dtype=np.uint8)


def pack_density(density: tuple[int, int]) -> bytes:
    """Pixels per metre, across and down, each 1 .. 2**32 - 1, as the data of their section."""
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
