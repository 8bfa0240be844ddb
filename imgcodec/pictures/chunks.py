"""The chunks of PNG, JPEG and WebP files, to leave out those that a decoder fails on. Pixels are not decoded.

Names are those of the formats: `iCCP`, `APP1`, `XMP `. Untrusted input: no length is believed.
"""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_FLAGS = {"ICCP": 0x20, "EXIF": 0x08, "XMP ": 0x04}  # of the header, which announces metadata
_MARKERS = {0xFE: "COM", **{0xE0 + number: f"APP{number}" for number in range(16)}}
_SCAN = 0xDA
TRAILER = "behind the end"
"""The name of what follows the last chunk of a PNG or WebP."""

Part = tuple[str, bytes]


def parts(data: bytes) -> list[Part]:
    """The parts of a PNG, JPEG or WebP file, names and bytes, which joined are the file; none for any other file and
    where one is damaged."""
    try:
        if data.startswith(_PNG):
            return _png_parts(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_parts(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_parts(data)
    except (struct.error, IndexError):
        pass
    return []


def is_metadata(name: str) -> bool:
    """Whether the picture can be decoded without the part of this name, perhaps in other colours or not upright."""
    if name in ("APP0", "APP14"):  # JFIF and Adobe say how to read the colours
        return False
    ancillary = len(name) == 4 and name[0].islower() and name != "tRNS"
    return name.startswith("APP") or name == "COM" or name in _WEBP_FLAGS or ancillary


def without(found: list[Part], names: set[str]) -> bytes:
    """The file of these parts without those of the names."""
    kept = [(name, part) for name, part in found if name not in names]
    if found[0][0] != "RIFF":
        return b"".join(part for _, part in kept)
    flags = sum(flag for name, flag in _WEBP_FLAGS.items() if name in names)
    body = b"".join(_with_flags_off(part, flags) if name == "VP8X" else part for name, part in kept[1:])
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _with_flags_off(part: bytes, flags: int) -> bytes:
    return part[:8] + bytes(byte & ~flags for byte in part[8:9]) + part[9:]


def _png_parts(data: bytes) -> list[Part]:
    found, offset = [("PNG", data[:8])], 8
    while offset < len(data):
        (size,) = struct.unpack_from(">I", data, offset)
        end = offset + 12 + size
        name = data[offset + 4 : offset + 8].decode("latin-1")
        found.append((name, data[offset:end]))
        offset = end
        if name == "IEND":
            break
    return [*found, (TRAILER, data[offset:])] if offset < len(data) else found


def _jpeg_parts(data: bytes) -> list[Part]:
    found, offset = [("SOI", data[:2])], 2
    while data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        if marker == _SCAN:  # and all that follows
            break
        (size,) = struct.unpack_from(">H", data, offset + 2)
        found.append((_MARKERS.get(marker, f"{marker:02X}"), data[offset : offset + 2 + size]))
        offset += 2 + size
    return [*found, ("SOS", data[offset:])]


def _webp_parts(data: bytes) -> list[Part]:
    found, offset = [("RIFF", data[:12])], 12
    stop = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while offset + 8 <= stop:
        kind, size = struct.unpack_from("<4sI", data, offset)
        end = offset + 8 + size + size % 2
        found.append((kind.decode("latin-1"), data[offset:end]))
        offset = end
    return [*found, (TRAILER, data[offset:])] if offset < len(data) else found
