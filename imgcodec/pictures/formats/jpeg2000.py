"""JPEG 2000: boxes with EXIF, XMP, IPTC, ICC profiles and resolutions.

(ISO/IEC 15444-1, annex I; Adobe, XMP specification part 3, section 1.1.4; exiftool for the UUIDs of EXIF and IPTC.)
"""

import struct

from PIL import Image

from imgcodec.pictures.exif import PREFIX
from imgcodec.pictures.formats.boxes import behind_boxes, boxes, name
from imgcodec.pictures.formats.findings import COMMENT, CREDENTIALS, IPTC, TEXT, Findings, photoshop, unknown
from imgcodec.pictures.formats.jpeg import behind
from imgcodec.pictures.xmp import PICTURES

_EXIF = (b"JpgTiffExif->JP2", bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"))
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_IPTC = (bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"), bytes.fromhex("09a14e97c0b442e0bebf36df6f0ce36f"))
_PHOTOSHOP = bytes.fromhex("2c4c0100850440b9a03e562148d6dfeb")
_NAMED = {bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03"): "GeoTIFF data"}
_LAYOUT = {b"jP  ", b"ftyp", b"jp2c", b"rreq", b"jpch", b"jplh", b"free", b"cdef", b"cmap", b"pclr", b"bpcc", b"ihdr"}
_COMMENT, _TILE, _END = 0xFF64, 0xFF90, 0xFFD9  # markers of a codestream
_ENUMERATED, _ICC_METHODS, _PARAMETERIZED = 1, (2, 3), 5
_KNOWN_COLOURS = (0, 12, 15, 16, 17, 18)  # bilevel, CMYK, bilevel, sRGB, gray, sYCC; of LAB Pillow makes RGB
_SECOND_COLOURS = "only the first of its specifications of colours is kept"


def read(image: Image.Image, data: bytes) -> Findings:
    """What a JPEG 2000 file holds. image: opened by Pillow. data: the bytes of the file, empty where they are not
    known."""
    found = Findings()
    if image.info.get("comment") or _has_comment(data):
        found.lose(COMMENT)
    if data[4:8] != b"jP  ":  # a codestream without boxes
        found.lose(*behind(_behind(data)))
        return found
    others: list[str] = []
    has_picture = False
    for kind, body in boxes(data):
        if kind == b"jp2h":
            _read_header(found, body)
        elif kind == b"uuid":
            _read_uuid(found, bytes(body[:16]), body[16:], others)
        elif kind == b"jp2c" and has_picture:
            found.lose(PICTURES)
        elif kind == b"jp2c":
            has_picture = True
            found.lose(*([COMMENT] if _has_comment(body) else []), *behind(_behind(body)))
        elif kind == b"xml ":
            found.lose("XML data")
        elif kind == b"jumb":
            found.lose(CREDENTIALS if b"c2pa" in bytes(body) else "JUMBF data")
        elif kind in (b"lbl ", b"asoc"):
            found.lose(TEXT)
        elif kind not in _LAYOUT:
            others.append(name(kind))
    found.lose(*unknown("box", others, "boxes"))
    found.lose(*behind(bytes(behind_boxes(data))))
    return found


def _behind(codestream: bytes | memoryview) -> bytes:
    """What is behind the end of a codestream; empty where its parts do not say how long they are."""
    place = 2
    while codestream[:2] == b"\xff\x4f" and place + 2 <= len(codestream):
        (marker,) = struct.unpack_from(">H", codestream, place)
        if marker == _END:
            return bytes(codestream[place + 2 :])
        form, skipped = (">I", 6) if marker == _TILE else (">H", 2)
        if place + skipped + 4 > len(codestream):
            break
        (size,) = struct.unpack_from(form, codestream, place + skipped)
        place += size if marker == _TILE else 2 + size
        if marker == _TILE and size < 12:  # up to the end, or damaged
            break
    return b""


def _has_comment(codestream: bytes | memoryview) -> bool:
    """Whether there is a comment among the segments before the first tile."""
    place = 2
    while codestream[:2] == b"\xff\x4f" and place + 4 <= len(codestream):
        marker, size = struct.unpack_from(">HH", codestream, place)
        if marker in (_COMMENT, _TILE):
            return bool(marker == _COMMENT)
        place += 2 + size
    return False


def _read_uuid(found: Findings, uuid: bytes, body: memoryview, others: list[str]) -> None:
    if uuid in _EXIF:
        found.keep("exif", bytes(body).removeprefix(PREFIX))
    elif uuid == _XMP:
        found.keep("xmp", bytes(body))
    elif uuid in _IPTC:
        found.lose(IPTC)
    elif uuid == _PHOTOSHOP:
        found.lose(*photoshop(bytes(body)))
    elif uuid in _NAMED:
        found.lose(_NAMED[uuid])
    else:
        others.append("uuid")


def _read_header(found: Findings, header: memoryview) -> None:
    is_known = False
    others = False
    for kind, body in boxes(header):
        if kind == b"colr" and is_known:
            if body and body[0] in _ICC_METHODS and bytes(body[3:]) != found.icc and _SECOND_COLOURS not in found.notes:
                found.notes.append(_SECOND_COLOURS)
        elif kind == b"colr" and len(body) >= 3:
            method = body[0]
            if method in _ICC_METHODS:
                found.icc, is_known = bytes(body[3:]), True
            elif method == _ENUMERATED and len(body) >= 7:
                is_known = int.from_bytes(body[3:7], "big") in _KNOWN_COLOURS
                others = others or not is_known
            elif method == _PARAMETERIZED and len(body) >= 7:
                found.cicp, is_known = struct.unpack_from(">HH", body, 3), True
            else:
                others = True
        elif kind == b"res ":
            _read_resolution(found, body)
    found.are_colours_others = others and not is_known


def _read_resolution(found: Findings, body: memoryview) -> None:
    """The resolution of capture, which Pillow reads, too; else that of display."""
    there = {kind: body for kind, body in boxes(body) if len(body) >= 10}
    for kind in (b"resc", b"resd"):
        if kind in there and found.dpi is None:
            down, down_by, across, across_by, down_e, across_e = struct.unpack_from(">HHHHbb", there[kind])
            if across_by and down_by:
                metre = across / across_by * 10.0**across_e, down / down_by * 10.0**down_e
                found.dpi = metre[0] * 0.0254, metre[1] * 0.0254
