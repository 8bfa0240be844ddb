"""Samples of JPEG 2000 files with 9 to 16 bits: all of them, of each component by itself.

Pillow rounds colours of more than 8 bits without a limit, so that white becomes black. A component alone it reads as
gray with 16 bits: the codestream is put into another file, whose header maps one component to the only channel
(ISO/IEC 15444-1, annex I). Untrusted input: no length is believed.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgcodec.pictures.modes import Pixels, to_bytes

_CODESTREAM = b"\xff\x4f\xff\x51"  # its first bytes
_FILE = b"\0\0\0\x0cjP  \r\n\x87\n"
_SRGB, _GRAY, _YCC = 16, 17, 18  # enumerated colour spaces


@dataclass(frozen=True)
class Layout:
    """Where the codestream of a file lies, and what it has: the size of the picture, bits per sample, 9 to 16, whether
    they are signed, the number of components, 1 to 4 (of 2 and 4, the last is alpha), and whether colours are YCbCr."""

    start: int
    end: int
    width: int
    height: int
    bits: int
    signed: bool
    components: int
    ycc: bool


def layout(data: bytes) -> Layout | None:
    """The layout of a JPEG 2000 file; None for other files and for components that differ, that are smaller than the
    picture or of other bits, for palettes and other colours than gray, RGB and YCbCr."""
    space: int | None = None
    start, end = 0, len(data)
    try:
        if data.startswith(_FILE):
            boxes = _boxes(data, 0, len(data))
            inside = [_boxes(data, *place) for kind, place in boxes if kind == b"jp2h"][0]
            start, end = next(place for kind, place in boxes if kind == b"jp2c")
            if any(kind == b"pclr" for kind, _ in inside):
                return None
            colours = next((data[place[0] : place[1]] for kind, place in inside if kind == b"colr"), b"")
            if colours[:1] == b"\1":
                (space,) = struct.unpack_from(">I", colours, 3)
        if data[start : start + 4] != _CODESTREAM:
            return None
        right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
        (count,) = struct.unpack_from(">H", data, start + 40)
        kinds = {data[start + 42 + 3 * index : start + 45 + 3 * index] for index in range(min(count, 5))}
    except (struct.error, IndexError, StopIteration):
        return None
    if not 1 <= count <= 4 or len(kinds) != 1 or space not in (None, _SRGB, _GRAY, _YCC):
        return None
    depth, across, down = kinds.pop()
    bits = (depth & 0x7F) + 1
    if not 9 <= bits <= 16 or (across, down) != (1, 1):
        return None
    ycc = space == _YCC and count >= 3
    return Layout(start, end, right - left, bottom - top, bits, depth >= 0x80, count, ycc)


def read(data: bytes, found: Layout) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8, rounded. Raises whatever Pillow raises for what is
    damaged."""
    components = [_component(data, found, index) for index in range(found.components)]
    alpha = components.pop() if found.components in (2, 4) else None
    pixels = np.stack(components * (3 // len(components)), axis=2)
    if found.ycc:
        pixels = np.array(Image.fromarray(pixels, mode="YCbCr").convert("RGB"))
    return pixels, alpha


def _component(data: bytes, found: Layout, index: int) -> Pixels:
    """One component (H, W), 0 .. 255."""
    depth = found.bits - 1 | 0x80 * found.signed
    header = _box(b"ihdr", struct.pack(">IIHBBBB", found.height, found.width, 1, depth, 7, 0, 0))
    header += _box(b"colr", struct.pack(">BBBI", 1, 0, 0, _GRAY))
    header += _box(b"pclr", struct.pack(">HBBH", 1, 1, depth, 0))  # of one colour, which is not used, but must be there
    header += _box(b"cmap", struct.pack(">HBB", index, 0, 0))
    file = _FILE + _box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + _box(b"jp2h", header)
    file += _box(b"jp2c", data[found.start : found.end])
    with Image.open(io.BytesIO(file), formats=["JPEG2000"]) as image:
        wide = np.asarray(image).astype(np.uint32) >> (16 - found.bits)  # which Pillow has widened to 16 bits
    return to_bytes(wide, 2**found.bits - 1)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _boxes(data: bytes, start: int, end: int) -> list[tuple[bytes, tuple[int, int]]]:
    """The kinds of the boxes in a part of a file, and where their contents begin and end."""
    found = []
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        if size == 0:  # to the end
            size = end - start
        if size < head:
            break
        found.append((kind, (start + head, min(start + size, end))))
        start += size
    return found
