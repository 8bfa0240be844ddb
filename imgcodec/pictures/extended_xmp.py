"""XMP that is too long for one segment of a JPEG: joined when read, split when written.

A segment holds 64 KiB. The rest, a depth map perhaps, is a second packet, the extended one, in as many segments as it
needs; the first packet names it by its MD5. (Adobe, XMP specification part 3, section 1.1.3.1.)
"""

import hashlib
import re
import struct
from collections.abc import Iterable

_SIGNATURE = b"http://ns.adobe.com/xmp/extension/\0"
_HEAD = struct.Struct(">32sII")  # name, bytes of the packet, offset of this part
_PART = 65533 - len(_SIGNATURE) - _HEAD.size

# Untrusted input: no expression may look at a byte more often than a few times.
_NAMES = re.compile(rb"""\sxmpNote:HasExtendedXMP\s*=\s*["']([0-9A-Fa-f]{32})["']""")
_NAMES_ELEMENT = re.compile(rb"<xmpNote:HasExtendedXMP>\s*([0-9A-Fa-f]{32})\s*</xmpNote:HasExtendedXMP>")
_WRAPPER = re.compile(rb"<\?xpacket[^>]{0,200}\?>")
_END = b"</rdf:RDF>"
_FIRST = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def joined(first: bytes, segments: Iterable[tuple[str, bytes]]) -> tuple[bytes, str | None]:
    """The XMP packet of a JPEG, joined with the extended one if there is one, and a note where that fails.

    first: the packet of the usual segment. segments: all application segments, as Pillow lists them.
    """
    name = _NAMES.search(first) or _NAMES_ELEMENT.search(first)
    if name is None:
        return first, None
    extended = _gathered(name[1], segments)
    if extended is not None and first == _FIRST % name[1]:  # as `split` makes it
        return extended, None
    alone = _NAMES_ELEMENT.sub(b"", _NAMES.sub(b"", first))
    merged = None if extended is None else _merged(alone, extended)
    return (alone, "its extended XMP cannot be read and was left out") if merged is None else (merged, None)


def split(packet: bytes) -> tuple[bytes, bytes]:
    """A packet for the usual segment, and the segments of an extended one with all of the content."""
    content = _WRAPPER.sub(b"", packet).strip()
    name = hashlib.md5(content, usedforsecurity=False).hexdigest().upper().encode()
    segments = bytearray()
    for offset in range(0, len(content), _PART):
        part = _SIGNATURE + _HEAD.pack(name, len(content), offset) + content[offset : offset + _PART]
        segments += b"\xff\xe1" + struct.pack(">H", 2 + len(part)) + part
    return _FIRST % name, bytes(segments)


def _gathered(name: bytes, segments: Iterable[tuple[str, bytes]]) -> bytes | None:
    """The extended packet of this name; None where it is not whole."""
    parts: dict[int, bytes] = {}
    size = 0
    for _, data in segments:
        body = data.removeprefix(_SIGNATURE)
        if len(body) == len(data) or len(body) < _HEAD.size:
            continue
        owner, size_here, offset = _HEAD.unpack_from(body)
        if owner == name:
            size, parts[offset] = size_here, body[_HEAD.size :]
    packet = bytearray()
    for offset in sorted(parts):
        if offset != len(packet):
            return None
        packet += parts[offset]
    return bytes(packet) if packet and len(packet) == size else None


def _merged(first: bytes, extended: bytes) -> bytes | None:
    """The first packet with the descriptions of the extended one behind its own; None where that may not be valid.

    Both are RDF, in which descriptions of one thing may be many. Namespaces that the extended packet declares outside
    its descriptions would be lost, but for the two that every packet has.
    """
    end, start, stop = first.rfind(_END), extended.find(b"<rdf:RDF"), extended.rfind(_END)
    start = extended.find(b">", start) + 1 if start >= 0 else 0
    if end < 0 or not 0 < start <= stop or not set(re.findall(rb"xmlns:(\w+)", extended[:start])) <= {b"x", b"rdf"}:
        return None
    return first[:end] + extended[start:stop] + first[end:]
