"""Files that lack only their end: the picture is whole, and what should follow it is not there."""

import hashlib
import io
import re
import struct
from collections.abc import Iterator

from PIL import Image

from imgcodec.pillow_errors import PillowError, pillow_errors

NOTE = "its file lacks its end; the picture is whole"
_DOUBT = "its file lacks its end, and some of the picture may be lost"

_PNG, _JPEG, _GIF, _QOI = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", (b"GIF87a", b"GIF89a"), b"qoif"
_JPEG_END, _QOI_END = b"\xff\xd9", bytes(7) + b"\1"
_SCAN = b"\xff\xda"
_LAST_BYTES = 12
_COEFFICIENTS = 64
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_RESTART_INTERVAL = b"\xff\xdd"
_MARKER = re.compile(rb"\xff([^\0\xff\xd0-\xd8])")  # one with a segment, or the end
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
# What may have followed in a JPEG: its Huffman codes read each of them as something else. 0xFF is followed by 0 there.
_FOLLOWING = (b"", b"\xff\0" * 64, b"\xaa" * 128, b"\x6d\xb6\xdb" * 40, bytes(range(1, 255)))


def note(data: bytes) -> str | None:
    """A note on a PNG, JPEG, GIF or QOI file without end marker that Pillow reads silently; None for other files.

    Pillow refuses them where pixels are missing, but for a JPEG that is padded.
    """
    if data.startswith(_JPEG):
        return None if _jpeg_ends(data) else NOTE if mended_jpeg(data) else _DOUBT
    missing = (
        (data.startswith(_PNG) and not _png_ends(data))
        or (data.startswith(_GIF) and not _gif_ends(data))
        or (data.startswith(_QOI) and data.find(_QOI_END, 14) < 0)
    )
    return NOTE if missing else None


def mended_jpeg(data: bytes) -> bytes | None:
    """The JPEG file with an end marker, where it lacks that and nothing of its picture; None otherwise.

    Whether something is missing shows in the pixels: they would depend on what followed. Where the last bytes are all
    the same, they may be padding instead, on which no pixel depends. And each coefficient must have been sent to its
    last bit, for a progressive file may be cut between two scans.
    """
    body = data[:-1] if data.endswith(b"\xff") else data
    scan = body.rfind(_SCAN)
    if not data.startswith(_JPEG) or scan < 0 or not _every_coefficient_is_there(data):
        return None
    try:
        with pillow_errors():
            is_whole = _is_whole(body, scan) and not _is_padded(body, scan)
        return body + _JPEG_END if is_whole else None
    except PillowError:
        return None


def _is_padded(body: bytes, scan: int) -> bool:
    """Whether equal bytes at the end of a JPEG took the place of some of its picture."""
    if len(set(body[-_LAST_BYTES:])) > 1:
        return False
    start = scan + 2 + int.from_bytes(body[scan + 2 : scan + 4], "big")
    stripped = body[:start] + body[start:].rstrip(body[-1:])
    return _is_whole(body[:-_LAST_BYTES], scan) and not _is_whole(stripped, scan)


def _is_whole(body: bytes, scan: int) -> bool:
    """Whether the pixels of a JPEG are the same, whatever follows its last scan."""
    following = list(_FOLLOWING)
    if _RESTART_INTERVAL in body:
        restarts = _RESTART.findall(body, scan)
        marker = b"\xff" + bytes([0xD0 + (restarts[-1][0] + 1) % 8 if restarts else 0xD0])
        following += [marker + more for more in _FOLLOWING[:3]]
    pictures = (_pixels_hash(body + more + _JPEG_END) for more in following)
    first = next(pictures)
    return all(other == first for other in pictures)


def _pixels_hash(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return hashlib.blake2b(image.tobytes()).digest()


def _every_coefficient_is_there(data: bytes) -> bool:
    """Whether the scans of a JPEG bring each component's coefficients to their last bit."""
    missing: dict[int, int] = {}  # of each component, the coefficients that have not come to their last bit, as bits
    try:
        for marker, segment in _segments(data):
            if marker in _FRAMES:
                missing |= {segment[6 + 3 * index]: 2**_COEFFICIENTS - 1 for index in range(segment[5])}
            elif marker == _SCAN[1]:
                count = segment[0]
                first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
                sent = 2 ** (last + 1) - 2**first if bits & 15 == 0 else 0  # down to the last one
                for index in range(count):
                    missing[segment[1 + 2 * index]] &= ~sent
    except (struct.error, IndexError, KeyError, ValueError):  # it is cut within one
        return False
    return bool(missing) and not any(missing.values())


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The markers of a JPEG up to its end, and what their segments hold; coded data and restarts are passed over."""
    offset = 2
    while found := _MARKER.search(data, offset):
        marker, offset = found[1][0], found.end()
        if marker == _JPEG_END[1]:
            yield marker, b""
            return
        (size,) = struct.unpack_from(">H", data, offset)
        yield marker, data[offset + 2 : offset + size]
        offset += size


def _jpeg_ends(data: bytes) -> bool:
    try:
        return any(marker == _JPEG_END[1] for marker, _ in _segments(data))
    except struct.error:
        return False


def _png_ends(data: bytes) -> bool:
    offset = len(_PNG)
    while offset + 12 <= len(data):
        if data[offset + 4 : offset + 8] == b"IEND":
            return True
        offset += 12 + int.from_bytes(data[offset : offset + 4], "big")
    return False


def _gif_ends(data: bytes) -> bool:
    offset = 13 + _palette_bytes(data[10:11])
    while offset < len(data):
        kind = data[offset]
        if kind == 0x3B:  # the trailer
            return True
        if kind == 0x2C:  # a picture
            offset = _behind_blocks(data, offset + 11 + _palette_bytes(data[offset + 9 : offset + 10]))
        elif kind == 0x21:  # an extension
            offset = _behind_blocks(data, offset + 2)
        else:
            offset += 1
    return False


def _palette_bytes(flags: bytes) -> int:
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _behind_blocks(data: bytes, offset: int) -> int:
    while offset < len(data) and data[offset]:
        offset += 1 + data[offset]
    return offset + 1
