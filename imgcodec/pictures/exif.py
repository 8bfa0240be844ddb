"""EXIF blocks as bytes: orientation, density and size are read and changed in place.

Writing a block anew would break the offsets inside makers' notes, so all else stays where it was. Untrusted input: no
offset or count is believed. (CIPA DC-008, Exif 3.0; TIFF 6.0, section 2.)
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image

from imgcodec.pillow_errors import PillowError, pillow_errors

Density: TypeAlias = tuple[int, int]
"""Pixels per metre, across and down, each 1 .. 2**32 - 1."""

PREFIX = b"Exif\0\0"
UPRIGHT = 1
QUARTER_TURNS = (5, 6, 7, 8)
"""The orientations that exchange width and height."""

BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
ORIENTATION = 0x0112
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY = 0x8769, 0x8825, 0xA005

_INCH, _CENTIMETRE = 2, 3
_INCH_METRES = 0.0254
_INTEGERS = {1: "B", 3: "H", 4: "I"}  # the TIFF types in which writers store the orientation
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of a TIFF type
_THUMBNAIL_OFFSET, _THUMBNAIL_BYTES = 0x0201, 0x0202
# Width and height of the picture, in the directory and in those it points to; and what else has an axis.
_WIDTHS, _HEIGHTS = (0x0100, 0xA002, 0x1001), (0x0101, 0xA003, 0x1002)
_AXES = ((X_RESOLUTION, Y_RESOLUTION), (0xA20E, 0xA20F))  # density of the picture, and of the focal plane


@dataclass(frozen=True)
class Entry:
    """A tag of a directory. place: of its value in the block."""

    tag: int
    kind: int
    count: int
    place: int


def is_readable(exif: bytes) -> bool:
    """Whether the first directory of a block lies in it, and is empty or has a tag that can be read."""
    order = BYTE_ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return False
    (directory,) = struct.unpack_from(order + "I", exif, 4)
    count = exif[directory : directory + 2]
    return len(count) == 2 and (not any(count) or any(entries(exif, order, directory)))


def density(exif: bytes | None) -> Density | None:
    """The density that a block states, or None."""
    if not exif:
        return None
    parsed = Image.Exif()
    try:
        with pillow_errors():
            parsed.load(exif)
            across, down = float(parsed[X_RESOLUTION]), float(parsed[Y_RESOLUTION])
            unit = {_INCH: 1.0, _CENTIMETRE: 2.54}[parsed.get(RESOLUTION_UNIT, _INCH)]
    except PillowError:  # there is none, too
        return None
    return of_dpi((unit * across, unit * down))


def of_dpi(dpi: object) -> Density | None:
    """Pixels per metre of two numbers per inch; None for anything else and for what has no such density."""
    try:
        across, down = (round(float(value) / _INCH_METRES) for value in dpi)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ArithmeticError):  # not two numbers, or not finite
        return None
    return (across, down) if 0 < across < 2**32 and 0 < down < 2**32 else None


def to_dpi(density: Density) -> tuple[float, float]:
    """Pixels per inch, rounded to a whole number where a whole number of pixels per metre cannot tell the two apart."""
    across, down = (_INCH_METRES * per_metre for per_metre in density)
    return _whole_dpi(across), _whole_dpi(down)


def of_density(density: Density) -> bytes:
    """A block that states the density and nothing else."""
    exif = Image.Exif()
    exif[X_RESOLUTION], exif[Y_RESOLUTION] = to_dpi(density)
    exif[RESOLUTION_UNIT] = _INCH
    return exif.tobytes()


def orientation(exif: bytes | None) -> int | None:
    """The number of the orientation, whatever it is, or None where the block has none."""
    places = _orientations(exif or b"")
    if not places:
        return None
    form, offset = places[-1]  # as with most readers, the last one counts
    return int(struct.unpack_from(form, exif or b"", offset)[0])


def upright(exif: bytes) -> bytes:
    """The block with its orientation set to upright."""
    changed = bytearray(exif)
    for form, offset in _orientations(exif):
        struct.pack_into(form, changed, offset, UPRIGHT)
    return bytes(changed)


def resized(exif: bytes, size: tuple[int, int], are_axes_exchanged: bool) -> bytes:
    """The block of a picture that was turned or cropped: with its size (width, height), without the thumbnail, which
    was not turned, and with the densities of its axes exchanged if it was turned by a quarter."""
    changed = bytearray(exif)
    _erase_thumbnail(changed)
    for there, order in _directories(exif):
        found = {entry.tag: entry for entry in there}
        for tags, side in ((_WIDTHS, size[0]), (_HEIGHTS, size[1])):
            for entry in (found[tag] for tag in tags if tag in found):
                form = _INTEGERS.get(entry.kind, "")
                if form in ("H", "I") and entry.count == 1 and side < 2 ** (8 * SIZES[entry.kind]):
                    struct.pack_into(order + form, changed, entry.place, side)
        for across, down in _AXES if are_axes_exchanged else ():
            _exchange(changed, found.get(across), found.get(down))
    return bytes(changed)


def has_thumbnail(exif: bytes | None) -> bool:
    """Whether the block has a second directory, which describes a thumbnail."""
    order = BYTE_ORDERS.get((exif or b"")[:4])
    if exif is None or order is None:
        return False
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        return bool(struct.unpack_from(order + "I", exif, directory + 2 + 12 * count)[0])
    except struct.error:  # cut short
        return False


def _whole_dpi(dpi: float) -> float:
    return float(round(dpi)) if abs(dpi - round(dpi)) <= _INCH_METRES / 2 else dpi


def _orientations(exif: bytes) -> list[tuple[str, int]]:
    """The struct format and offset of each orientation in the first directory of a block."""
    order = BYTE_ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return []
    (directory,) = struct.unpack_from(order + "I", exif, 4)
    return [
        (order + _INTEGERS[entry.kind], entry.place)
        for entry in entries(exif, order, directory)
        if entry.tag == ORIENTATION and entry.kind in _INTEGERS and entry.count == 1
    ]


def _directories(exif: bytes) -> Iterator[tuple[list[Entry], str]]:
    """The entries of the first directory, of the Exif directory and of that of interoperability; the byte order."""
    order = BYTE_ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return
    (first,) = struct.unpack_from(order + "I", exif, 4)
    for pointer in (EXIF_DIRECTORY, INTEROPERABILITY_DIRECTORY, None):
        there = list(entries(exif, order, first))
        yield there, order
        places = [entry.place for entry in there if entry.tag == pointer and entry.kind in (4, 13)]
        if not places:
            return
        (first,) = struct.unpack_from(order + "I", exif, places[0])


def entries(exif: bytes, order: str, directory: int) -> Iterator[Entry]:
    """The entries of the directory at an offset, but those whose value is not inside the block."""
    try:
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for place in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, values, offset = struct.unpack_from(order + "HHII", exif, place)
            size = SIZES.get(kind, 1) * values
            if size > 4 and not 8 <= offset <= len(exif) - size:
                continue
            yield Entry(tag, kind, values, offset if size > 4 else place + 8)
    except struct.error:  # cut short
        return


def _exchange(exif: bytearray, one: Entry | None, other: Entry | None) -> None:
    """Exchanges the values of two tags of one type."""
    if one is None or other is None or (one.kind, one.count) != (other.kind, other.count):
        return
    size = SIZES.get(one.kind, 1) * one.count
    first, second = (bytes(exif[entry.place : entry.place + size]) for entry in (one, other))
    exif[one.place : one.place + size], exif[other.place : other.place + size] = second, first


def _erase_thumbnail(exif: bytearray) -> None:
    """Ends the list of directories after the first, and overwrites the thumbnail with zeros, which cost nothing."""
    order = BYTE_ORDERS.get(bytes(exif[:4]))
    if order is None:
        return
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        link = directory + 2 + 12 * count
        (second,) = struct.unpack_from(order + "I", exif, link)
        if not second:
            return
        struct.pack_into(order + "I", exif, link, 0)
        (count,) = struct.unpack_from(order + "H", exif, second)
        rows = [struct.unpack_from(order + "HHII", exif, second + 2 + 12 * index) for index in range(count)]
    except struct.error:  # cut short
        return
    places = {tag: value for tag, _, _, value in rows}
    start, size = places.get(_THUMBNAIL_OFFSET, 0), places.get(_THUMBNAIL_BYTES, 0)
    if link + 4 <= start and start + size <= len(exif):  # behind what the block begins with, and inside it
        exif[start : start + size] = bytes(size)
