"""The directories that EXIF blocks and TIFF files are made of: read, and laid out anew, each field of the same type.

A block and a file differ in what else is there: a file's first directory describes its pixels, too. Untrusted input: no
offset or count is believed. (TIFF 6.0, section 2; CIPA DC-008, Exif 3.0.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from imgcodec.pictures.exif import (
    BYTE_ORDERS,
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    INTEROPERABILITY_DIRECTORY,
    SIZES,
    Entry,
    entries,
)

_INNER = (EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY)
_PICTURES = 330
_DIRECTORIES = (*_INNER, _PICTURES)
_EXTENTS = ((273, 279), (324, 325), (513, 514))  # where strips, tiles and a JPEG start, and how long they are
_PLACES = {*_DIRECTORIES, *(tag for pair in _EXTENTS for tag in pair)}
_UNKNOWN_PLACES = {400, 519, 520, 521, 33424, 34954}  # of directories of makers, and of tables of an old kind of JPEG
_STEPS = 2**20  # entries and numbers that are looked at, for untrusted input says how many there are
_POINTERS = (4, 13)  # the types LONG and IFD
_UNITS = {3: 2, 8: 2, 4: 4, 9: 4, 11: 4, 13: 4, 5: 4, 10: 4, 12: 8}  # bytes that a byte order puts in order
_MARKS = {order: mark for mark, order in BYTE_ORDERS.items()}


@dataclass
class Directory:
    """fields: type and value of each tag, in the byte order. inner: directories that tags point to. is_whole: nothing
    of it was damaged."""

    order: str
    fields: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    inner: dict[int, Directory] = field(default_factory=dict)
    is_whole: bool = True


def read(data: bytes) -> Directory | None:
    """The first directory of a block or a file, and those inside it; None for bytes that are neither."""
    order = BYTE_ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return None
    return _read(data, order, int(struct.unpack_from(order + "I", data, 4)[0]), depth=2)


def ordered(directory: Directory, order: str) -> Directory:
    """The directory in a byte order."""
    if directory.order == order:
        return directory
    fields = {tag: (kind, _swapped(kind, value)) for tag, (kind, value) in directory.fields.items()}
    inner = {tag: ordered(each, order) for tag, each in directory.inner.items()}
    return Directory(order, fields, inner, directory.is_whole)


def laid_out(directory: Directory, start: int) -> bytes:
    """The bytes of a directory and of all that it points to, for a place in a file from its start."""
    order = directory.order
    tags = sorted({*directory.fields, *directory.inner})
    table = bytearray(struct.pack(order + "H", len(tags)))
    values = bytearray()
    place = start + 2 + 12 * len(tags) + 4
    for tag in tags:
        here = place + len(values)
        if tag in directory.inner:
            values += laid_out(directory.inner[tag], here)
            table += struct.pack(order + "HHII", tag, 4, 1, here)
        else:
            kind, value = directory.fields[tag]
            table += struct.pack(order + "HHI", tag, kind, len(value) // SIZES.get(kind, 1))
            if len(value) <= 4:
                table += value.ljust(4, b"\0")
            else:
                table += struct.pack(order + "I", here)
                values += value
        values += bytes(len(values) % 2)
    return bytes(table) + bytes(4) + bytes(values)


def block(directory: Directory) -> bytes:
    """An EXIF block of a directory."""
    return _MARKS[directory.order] + struct.pack(directory.order + "I", 8) + laid_out(directory, 8)


def with_first(data: bytes, directory: Directory) -> bytes:
    """A TIFF file with another first directory, which is put behind what is there."""
    start = len(data) + len(data) % 2
    head = _MARKS[directory.order] + struct.pack(directory.order + "I", start)
    return head + data[8:] + bytes(len(data) % 2) + laid_out(directory, start)


def behind(data: bytes) -> bytes:
    """What is behind all that the directories of a file point to; empty where that cannot be told."""
    order = BYTE_ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return b""
    waiting = [(int(struct.unpack_from(order + "I", data, 4)[0]), True)]  # a place, and does another directory follow
    seen, end, steps = set[int](), 8, 0
    while waiting:
        place, is_followed = waiting.pop()
        if place in seen or not place:
            continue
        seen.add(place)
        there = list(entries(data, order, place))
        if place + 2 > len(data) or len(there) != struct.unpack_from(order + "H", data, place)[0]:  # it is damaged
            return b""
        by_tag = {entry.tag: entry for entry in there if entry.tag in _PLACES}
        numbers = {tag: _numbers(data, order, entry) for tag, entry in by_tag.items()}
        steps += 1 + len(there) + sum(map(len, numbers.values()))
        link = place + 2 + 12 * len(there)
        if steps > _STEPS or _UNKNOWN_PLACES & {entry.tag for entry in there}:
            return b""
        end = max([end, link + 4, *(entry.place + SIZES.get(entry.kind, 1) * entry.count for entry in there)])
        for starts, sizes in _EXTENTS:
            if len(numbers.get(starts, ())) != len(numbers.get(sizes, ())) or 0 in numbers.get(sizes, ()):
                return b""
            pairs = zip(numbers.get(starts, ()), numbers.get(sizes, ()), strict=True)
            end = max([end, *(start + size for start, size in pairs)])
        waiting += [(start, tag == _PICTURES) for tag in _DIRECTORIES for start in numbers.get(tag, ())]
        if is_followed and link + 4 <= len(data):
            waiting.append((struct.unpack_from(order + "I", data, link)[0], True))
    return data[end:]


def _numbers(data: bytes, order: str, entry: Entry) -> tuple[int, ...]:
    """The values of a field of integers; none where it is of another type."""
    form = {3: "H", 4: "I", 13: "I"}.get(entry.kind)
    return struct.unpack_from(f"{order}{entry.count}{form}", data, entry.place) if form else ()


def _read(data: bytes, order: str, place: int, depth: int) -> Directory:
    found = Directory(order)
    there = list(entries(data, order, place))
    (count,) = struct.unpack_from(order + "H", data, place) if place + 2 <= len(data) else (-1,)
    found.is_whole = len(there) == count
    for entry in there:
        value = data[entry.place : entry.place + SIZES.get(entry.kind, 1) * entry.count]
        if entry.tag not in _INNER:
            found.fields[entry.tag] = (entry.kind, value)
        elif depth > 0 and entry.kind in _POINTERS and entry.count == 1:
            found.inner[entry.tag] = _read(data, order, struct.unpack(order + "I", value)[0], depth - 1)
            found.is_whole = found.is_whole and found.inner[entry.tag].is_whole
    return found


def _swapped(kind: int, value: bytes) -> bytes:
    """A value in the other byte order."""
    unit = _UNITS.get(kind, 1)
    return b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit)) if unit > 1 else value
