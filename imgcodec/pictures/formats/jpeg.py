"""JPEG: ICC profiles in several segments, and what lies in other segments and behind the picture.

Phones put a gain map, a video or more pictures behind the end of the first picture, and index them in XMP, in a
segment MPF or in a trailer of their own. (ITU-T T.81; CIPA DC-007, multi-picture format; ISO 21496-1.)
"""

import re
from collections.abc import Iterable, Iterator

from PIL import Image

from imgcodec.pictures import exif, icc
from imgcodec.pictures.formats.findings import (
    COMMENT,
    CREDENTIALS,
    PAST_THE_END,
    PIXEL_SHAPE,
    THUMBNAIL,
    Findings,
    photoshop,
    unknown,
)
from imgcodec.pictures.xmp import GAIN_MAP, PICTURES, VIDEO

_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_GAIN_MAP_SIGNS = (b"hdrgm:", b"hdr-gain-map", b"hdrgainmap", b"HDRGainMap", _ISO_GAIN_MAP)
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_FULL_SEGMENT = 65533  # bytes
_KEPT_SEGMENTS = (exif.PREFIX, _XMP, b"http://ns.adobe.com/xmp/extension/\0")
_PHOTOSHOP = b"Photoshop 3.0\0"
_SOI = b"\xff\xd8\xff"
_APPLICATIONS, _COMMENT, _SCAN, _END = range(0xE0, 0xF0), 0xFE, 0xDA, 0xD9  # markers
_MOVIE = re.compile(rb"\0\0[\0-\x0f].ftyp", re.DOTALL)
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in the data of a scan, where others stand for themselves
_PADDING = b"\0\xff\r\n \t"
_MOST = 64  # pictures that are looked for behind the first


def read(image: Image.Image, data: bytes) -> Findings:
    """What a JPEG holds. image: opened by Pillow. data: the bytes of the file, empty where they are not known."""
    segments: list[tuple[str, bytes]] = list(getattr(image, "applist", ()))
    found = Findings()
    found.icc, note = icc.joined(body for name, body in segments if name == "APP2")
    found.notes += [note] if note else []
    for block in _exif_blocks(segments):
        found.keep("exif", block)
    packets = [body.removeprefix(_XMP) for name, body in segments if name == "APP1" and body.startswith(_XMP)]
    for packet in packets if len(packets) > 1 else ():
        found.keep("xmp", packet)
    found.lose(*_in_segments(segments))
    index = any(name == "APP2" and body.startswith(b"MPF\0") for name, body in segments)
    found.lose(*_between_scans(data))
    across, down = image.info.get("jfif_density", (1, 1)) if image.info.get("jfif_unit") == 0 else (1, 1)
    found.lose(*([PIXEL_SHAPE] if across != down else []))
    end = end_of(data) if data else None
    if end is not None:
        found.lose(*behind(data[end:]))
    elif index or getattr(image, "is_animated", False):
        found.lose(PICTURES)
    return found


def _exif_blocks(segments: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """The EXIF blocks where there is more than one segment of them, which Pillow would join; otherwise none. A segment
    goes on with the block of one that is full, if it does not begin as a block does (exiftool writes such files)."""
    there = [body for name, body in segments if name == "APP1" and body.startswith(exif.PREFIX)]
    blocks: list[bytes] = []
    for last, body in zip([b"", *there], there, strict=False):
        content = body.removeprefix(exif.PREFIX)
        if blocks and len(last) == _FULL_SEGMENT and content[:4] not in exif.BYTE_ORDERS:
            blocks[-1] += content
        else:
            blocks.append(content)
    return blocks if len(there) > 1 else []


def _in_segments(segments: Iterable[tuple[str, bytes]]) -> list[str]:
    """Names of what the segments hold that is not kept."""
    names, others = [], []
    for name, body in segments:
        if name == "COM":
            names.append(COMMENT)
        elif name == "APP0" and body.startswith(b"JFIF\0"):
            names += [THUMBNAIL] if len(body) > 14 else []
        elif name == "APP0" and body.startswith(b"JFXX\0"):
            names.append(THUMBNAIL)
        elif name == "APP13" and body.startswith(_PHOTOSHOP):
            names += photoshop(body[len(_PHOTOSHOP) :])
        elif name == "APP2" and body.startswith(_ISO_GAIN_MAP):
            names.append(GAIN_MAP)
        elif name == "APP11" and b"c2pa" in body:
            names.append(CREDENTIALS)
        elif not (
            (name == "APP1" and body.startswith(_KEPT_SEGMENTS))
            or (name == "APP2" and body.startswith((icc.JPEG_SIGNATURE, b"MPF\0")))
            or (name == "APP14" and body.startswith(b"Adobe"))  # it says how to read the colours
            or (name == "APP11" and CREDENTIALS in names)  # further parts of one box
        ):
            others.append(name)
    return [*names, *unknown("data in segment", others, "data in segments")]


def _between_scans(data: bytes) -> list[str]:
    """Names of what segments hold that stand behind the first scan, where Pillow does not look."""
    names = []
    is_behind = False
    for marker, _ in segments(data) if data else ():
        if is_behind and marker in _APPLICATIONS:
            names.append(f"APP{marker - _APPLICATIONS[0]}")
        elif is_behind and marker == _COMMENT:
            names.append(COMMENT)
        is_behind = is_behind or marker == _SCAN
    comments = [COMMENT] if COMMENT in names else []
    return [
        *comments,
        *unknown("data in late segment", (name for name in names if name != COMMENT), "data in late segments"),
    ]


def segments(data: bytes, start: int = 0) -> Iterator[tuple[int, int]]:
    """Marker and place behind each segment of the JPEG that starts at a place, with the data of scans passed over; the
    last one is that of the end, if there is one."""
    place = start + 2
    while data[place : place + 1] == b"\xff" and place + 4 <= len(data) + 2:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker == _END:
            yield marker, place + 2
            return
        else:
            size = int.from_bytes(data[place + 2 : place + 4], "big")
            if size < 2:
                return
            place += 2 + size
            yield marker, place
            if marker == _SCAN:
                match = _MARKER.search(data, place)
                if match is None:
                    return
                place = match.start()


def end_of(data: bytes, start: int = 0) -> int | None:
    """The place behind the end of the JPEG that starts at a place; None where it has no end."""
    return next((place for marker, place in segments(data, start) if marker == _END), None)


def behind(rest: bytes) -> list[str]:
    """Names of what is in the bytes behind a picture; none where they are padding."""
    if not rest.strip(_PADDING):
        return []
    movie = _MOVIE.search(rest)
    names = [VIDEO] if movie or b"MotionPhoto_Data" in rest[-4096:] else []
    pictures = rest[: movie.start()] if movie else rest
    place, end = pictures.find(_SOI), 0
    for _ in range(_MOST):
        if place < 0:
            break
        next_end = end_of(pictures, place)
        if next_end is None:
            break
        end = next_end
        picture = pictures[place:end]
        names.append(GAIN_MAP if any(sign in picture for sign in _GAIN_MAP_SIGNS) else PICTURES)
        place = pictures.find(_SOI, end)
    if not names:
        names.append(PAST_THE_END)
    return sorted(set(names))
