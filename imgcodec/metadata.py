"""What a picture carries besides pixels: orientation, EXIF, XMP and ICC, as bytes.

EXIF is kept as it was found, but for the orientation, which is set to upright in its place: writing the block anew
would break the offsets inside makers' notes. Nothing here raises for damaged metadata.
"""

import re
import struct
from typing import Any

from PIL import Image

EXIF_PREFIX = b"Exif\0\0"
UPRIGHT = 1

_ORIENTATION = 0x0112
_INTEGERS = {1: "B", 3: "H", 4: "I"}  # the TIFF types in which writers store the orientation
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_XMP = 700
_SUB_DIRECTORIES = (0x8769, 0x8825)  # Exif and GPS
_DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)

_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([2-8])""")


def read_exif(image: Image.Image) -> tuple[bytes | None, str | None]:
    """The EXIF block from its byte order mark on, or None, and a note where there is one that cannot be kept."""
    try:
        exif = image.info.get("exif")
        if exif is None:
            exif = _raw_profile(image, "exif")
        if exif is None and image.format == "TIFF":
            kept = Image.Exif()
            kept.update(_descriptive(image.getexif()))
            exif = kept.tobytes() if kept else None
    except Exception:  # whatever Pillow makes of damaged metadata
        return None, "its EXIF cannot be read and was left out"
    exif = bytes(exif or b"").removeprefix(EXIF_PREFIX)
    if not exif:
        return None, None
    if exif[:4] not in _BYTE_ORDERS:
        return None, "its EXIF is not valid and was left out"
    return exif, None


def read_xmp(image: Image.Image) -> tuple[bytes | None, str | None]:
    """The XMP packet or None, and a note where there is one that cannot be read."""
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if xmp is None:
        try:
            xmp = _raw_profile(image, "xmp")
        except (IndexError, ValueError):
            return None, "its XMP cannot be read and was left out"
    if isinstance(xmp, str):
        xmp = xmp.encode(errors="surrogateescape")
    return (xmp if isinstance(xmp, bytes) and xmp else None), None


def read_icc(image: Image.Image) -> bytes | None:
    """The ICC profile."""
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) and icc else None


def tiff_tags(exif: bytes | None, xmp: bytes | None) -> dict[int, Any]:
    """EXIF and XMP as tags of a TIFF, where the first directory of the EXIF is also that of the pixels."""
    tags: dict[int, Any] = {}
    if exif:
        parsed = Image.Exif()
        try:
            parsed.load(exif)
            tags = _descriptive(parsed)
        except Exception:  # whatever Pillow makes of damaged metadata; the XMP may still be sound
            tags = {}
    return tags | ({_XMP: xmp} if xmp else {})


def icc_space(icc: bytes) -> str:
    """The colour space of a profile's pixels: RGB, GRAY, CMYK ... or what else its header says."""
    return icc[16:20].decode("latin-1").strip()


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """How to turn the picture, 1 (upright) to 8, as EXIF counts; XMP is asked where EXIF does not say."""
    value = UPRIGHT
    if places := _orientations(exif or b""):
        form, offset = places[-1]  # as with most readers, the last one counts
        (value,) = struct.unpack_from(form, exif or b"", offset)
    elif found := _XMP_ORIENTATION.search(xmp or b""):
        value = int(found[2])
    return value if 1 <= value <= 8 else UPRIGHT


def upright_exif(exif: bytes) -> bytes:
    """The same block, the orientation set to upright."""
    changed = bytearray(exif)
    for form, offset in _orientations(exif):
        struct.pack_into(form, changed, offset, UPRIGHT)
    return bytes(changed)


def upright_xmp(xmp: bytes) -> bytes:
    """The same packet, the orientation set to upright."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def without_metadata(data: bytes) -> bytes | None:
    """The same PNG, JPEG or WebP file with nothing in it but the picture; None for other files and damaged ones."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _bare_png(data)
        if data.startswith(b"\xff\xd8"):
            return _bare_jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _bare_webp(data)
    except (struct.error, IndexError):
        pass
    return None


def _orientations(exif: bytes) -> list[tuple[str, int]]:
    """The struct format and offset of each orientation in the first directory of an EXIF block."""
    order = _BYTE_ORDERS.get(exif[:4])
    found: list[tuple[str, int]] = []
    if order is None:
        return found
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, values, _ = struct.unpack_from(order + "HHII", exif, entry)
            if tag == _ORIENTATION and kind in _INTEGERS and values == 1:
                found.append((order + _INTEGERS[kind], entry + 8))
    except struct.error:  # cut short
        pass
    return found


def _raw_profile(image: Image.Image, name: str) -> bytes | None:
    """A block that ImageMagick has put into a PNG's text: a name, the length, the bytes in hexadecimal."""
    text = image.info.get(f"Raw profile type {name}")
    if text is None:
        return None
    _, _, length, *lines = str(text).split("\n")
    return bytes.fromhex("".join(lines)[: 2 * int(length)])


def _descriptive(source: Image.Exif) -> dict[int, Any]:
    """The tags that describe the picture, not those that say how its pixels lie in a file."""
    tags: dict[int, Any] = {tag: source[tag] for tag in _DESCRIPTIVE if tag in source}
    directories = {tag: dict(source.get_ifd(tag)) for tag in _SUB_DIRECTORIES}
    return tags | {tag: directory for tag, directory in directories.items() if directory}


def _bare_png(data: bytes) -> bytes:
    parts, offset = [data[:8]], 8
    while offset < len(data):
        (size,) = struct.unpack_from(">I", data, offset)
        end = offset + 12 + size
        if data[offset + 4 : offset + 8] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            parts.append(data[offset:end])
        offset = end
    return b"".join(parts)


def _bare_jpeg(data: bytes) -> bytes:
    parts, offset = [data[:2]], 2
    while data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        if marker == 0xDA:  # the scan, and all that follows
            break
        (size,) = struct.unpack_from(">H", data, offset + 2)
        # Kept: JFIF and Adobe, which say how to read the colours, and all that is neither application data nor comment.
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            parts.append(data[offset : offset + 2 + size])
        offset += 2 + size
    return b"".join([*parts, data[offset:]])


def _bare_webp(data: bytes) -> bytes:
    parts, offset = [], 12
    while offset + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, offset)
        end = offset + 8 + size + size % 2
        if kind == b"VP8X":  # its flags announce what is left out here
            parts.append(data[offset : offset + 8] + bytes([data[offset + 8] & ~0x2C]) + data[offset + 9 : end])
        elif kind not in (b"ICCP", b"EXIF", b"XMP "):
            parts.append(data[offset:end])
        offset = end
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body
