"""Boxes, of which files of the ISO base media format (AVIF) and of JPEG 2000 are made.

Untrusted input: no length is believed. (ISO/IEC 14496-12, section 4.2; ISO/IEC 15444-1, annex I.)
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_MOST = 4096  # boxes in one


class Box(NamedTuple):
    """kind: four characters. body: what is inside."""

    kind: bytes
    body: memoryview


def boxes(data: bytes | memoryview) -> Iterator[Box]:
    """The boxes that follow each other from the beginning of some bytes, as far as they are whole."""
    view, offset = memoryview(data), 0
    for _ in range(_MOST):
        if offset + 8 > len(view):
            return
        size, kind = struct.unpack_from(">I4s", view, offset)
        head = 8
        if size == 1 and offset + 16 <= len(view):
            (size,), head = struct.unpack_from(">Q", view, offset + 8), 16
        elif size == 0:  # up to the end
            size = len(view) - offset
        if size < head or offset + size > len(view):
            return
        yield Box(kind, view[offset + head : offset + size])
        offset += size


def behind_boxes(data: bytes | memoryview) -> memoryview:
    """What follows the boxes that are whole."""
    view, end = memoryview(data), 0
    for box in boxes(view):
        end += len(box.body) + (16 if bytes(view[end : end + 4]) == b"\0\0\0\1" else 8)
    return view[end:]


def name(kind: bytes) -> str:
    return kind.decode("latin-1").strip()
