"""XMP packets as bytes: orientation, density and size, and what a packet announces that is not kept.

A file with a gain map, a video or other pictures behind the first says so in its XMP. None of these is kept, so those
properties are cut out; all else stays as it was, to the byte. Untrusted input: a packet may be no XML at all, its
expressions look at no byte more often than a few times, and document types, whose entities could grow, are refused.
"""

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

GAIN_MAP, VIDEO, PICTURES, DEPTH_MAP = "gain map", "video", "other pictures", "depth map"

_GOOGLE = "http://ns.google.com/photos/"
# Namespaces whose every property is about what lies behind the picture.
_GONE = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": GAIN_MAP,
    "http://ns.apple.com/HDRGainMap/1.0/": GAIN_MAP,
    "http://ns.apple.com/pixeldatainfo/1.0/": GAIN_MAP,
    f"{_GOOGLE}1.0/container/": PICTURES,
    f"{_GOOGLE}1.0/container/item/": PICTURES,
    f"{_GOOGLE}dd/1.0/container/": PICTURES,
    f"{_GOOGLE}dd/1.0/item/": PICTURES,
    f"{_GOOGLE}dd/1.0/device/": DEPTH_MAP,
}
# Properties that are, in whatever namespace: those of Google, and of the makers who have their own.
_GONE_PROPERTY = re.compile(r"(?:MotionPhoto|MicroVideo)\w*$|VideoLength$")
_OF_CAMERAS = re.compile(r"https?://ns\.[\w.]+/.*camera/$")
_IS_OFF = re.compile(rb"""(?:MotionPhoto|MicroVideo)(?:\s{0,9}=\s{0,9}["']|>)\s{0,9}0\s{0,9}["'<]""")
# One of these is in every packet that has such a property.
_HINTS = (
    *(b"hdr-gain-map", b"HDRGainMap", b"pixeldatainfo", b"/container/", b"dd/1.0/device"),
    *(b"MotionPhoto", b"MicroVideo", b"VideoLength"),
)
_SEMANTICS = re.compile(rb"""Semantic\s*(?:=\s*["']|>)\s*(\w+)""")
_KINDS = {b"GainMap": GAIN_MAP, b"MotionPhoto": VIDEO, b"Depth": DEPTH_MAP, b"DepthMap": DEPTH_MAP}

_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([2-8])""")
# Pairs of properties along the two axes of the picture.
_AXES = (
    (b"tiff:XResolution", b"tiff:YResolution"),
    (b"exif:FocalPlaneXResolution", b"exif:FocalPlaneYResolution"),
    (b"exif:PixelXDimension", b"exif:PixelYDimension"),
    (b"tiff:ImageWidth", b"tiff:ImageLength"),
)
_NUMBER = rb"""(?:\s{0,9}=\s{0,9}["']|>)\s{0,99}(\d{1,20}(?:/\d{1,20})?)\s{0,99}["'<]"""
_TAG = re.compile(rb"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")
_ATTRIBUTE = re.compile(rb"""\s([^\s=<>/"']+)\s*=\s*("[^"]*"|'[^']*')""")
# Of elements, of which a packet needs a dozen, and of prefixes for the namespaces above.
_DEPTH = 64
_PREFIXES = 32


def orientation(xmp: bytes | None) -> int | None:
    """The orientation 2 to 8 that a packet states; None for others."""
    found = _ORIENTATION.search(xmp or b"")
    return int(found[2]) if found else None


def upright(xmp: bytes) -> bytes:
    """The packet with its orientation set to upright."""
    return _ORIENTATION.sub(rb"\g<1>1", xmp)


def with_axes_exchanged(xmp: bytes) -> bytes:
    """The packet of a picture that was turned by a quarter: widths are heights, and so on, where it states both."""
    for names in _AXES:
        found = [[*re.finditer(re.escape(name) + _NUMBER, xmp)] for name in names]
        if [len(places) for places in found] != [1, 1]:
            continue
        (one,), (other,) = found
        first, second = sorted((one, other), key=lambda match: match.start())
        middle = xmp[first.end(1) : second.start(1)]
        xmp = xmp[: first.start(1)] + second[1] + middle + first[1] + xmp[second.end(1) :]
    return xmp


def without_announcements(xmp: bytes) -> tuple[bytes | None, set[str]]:
    """The packet without the properties that announce what lies behind the picture, and what that was: GAIN_MAP, VIDEO,
    PICTURES, DEPTH_MAP. None for the packet where it announces such a thing and cannot be read as XML.

    A packet that announces nothing is the same bytes again.
    """
    if not any(hint in xmp.replace(b"\0", b"") for hint in _HINTS):
        return xmp, set()
    try:
        edited, kinds = _edited(xmp)
    except (expat.ExpatError, UnicodeError, ValueError):
        return None, set()
    return edited, kinds


def _edited(xmp: bytes) -> tuple[bytes, set[str]]:
    """As `without_announcements`, of a packet that has a hint of one. Raises for what is no XML."""
    if b"\0" in xmp[:16]:  # two bytes a character, and the first one that counts is "<"
        encoding = "utf-16-be" if xmp.find(b"<") % 2 else "utf-16-le"
        edited, kinds = _edited(xmp.decode(encoding).encode())
        return edited.decode().encode(encoding), kinds
    try:
        scan = _scan(xmp, "utf-8")
    except expat.ExpatError:
        scan = _scan(xmp, "iso-8859-1")  # where bytes are characters, too
    if not scan.cuts:
        return xmp, set()
    kept, end = bytearray(), 0
    for start, stop in sorted(scan.cuts):
        if start >= end:  # not inside an element that is cut out
            kept += xmp[end:start]
            end = stop
        end = max(end, stop)
    kept += xmp[end:]
    for prefix in sorted(scan.prefixes)[:_PREFIXES]:
        name = re.escape(prefix.encode())
        if not re.search(rb"[\s</]" + name + rb":", kept):
            kept = bytearray(re.sub(rb"\sxmlns:" + name + rb"""\s{0,9}=\s{0,9}(?:"[^"]*"|'[^']*')""", b"", kept))
    return bytes(kept), scan.kinds


@dataclass
class _Scan:
    """cuts: places in the packet, from and to. kinds: what they announce. prefixes: of the namespaces that these
    properties are in."""

    cuts: list[tuple[int, int]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)


def _scan(xmp: bytes, encoding: str) -> _Scan:
    """Finds the properties that announce something: attributes, and elements with all that is inside them."""
    parser = expat.ParserCreate(encoding)
    found = _Scan()
    spaces: list[ChainMap[str, str]] = [ChainMap()]  # prefix -> namespace, of each element that is open
    opened: list[tuple[int, bool, str | None]] = []  # start, is there no end tag, what it announces

    def kind_of(name: str, scope: Mapping[str, str]) -> str | None:
        prefix, _, local = name.rpartition(":")
        space = scope.get(prefix, "")
        kind = _GONE.get(space)
        if kind is None and _GONE_PROPERTY.match(local) and _OF_CAMERAS.match(space):
            kind = VIDEO
        if kind is not None:
            found.prefixes.add(prefix)
        return kind

    def announce(kind: str, part: bytes) -> None:
        """Says what a part of the packet is about: a directory of pictures says of each what it is."""
        named = {_KINDS.get(name, PICTURES) for name in _SEMANTICS.findall(part) if name != b"Primary"}
        found.kinds.update(named if kind == PICTURES else {kind})

    def start(name: str, attributes: dict[str, str]) -> None:
        begin = parser.CurrentByteIndex
        end = _end_of_tag(xmp, begin)
        scope = spaces[-1]
        declared = {key[6:]: value for key, value in attributes.items() if key.startswith("xmlns:")}
        if declared:
            scope = scope.new_child(declared)
            found.prefixes.update(prefix for prefix, space in declared.items() if space in _GONE)
        spaces.append(scope)
        if len(spaces) > _DEPTH:
            raise ValueError("XMP is not as deep as that.")
        kind = kind_of(name, scope)
        opened.append((begin, xmp[end - 2 : end] == b"/>", kind))
        if kind is not None:
            return
        for match in _ATTRIBUTE.finditer(xmp, begin, end):
            gone = kind_of(match[1].decode(errors="replace"), scope)
            if gone is not None and not _IS_OFF.search(match[0]):
                found.cuts.append(match.span())
                announce(gone, match[0])

    def stop(_: str) -> None:
        begin, is_empty, kind = opened.pop()
        spaces.pop()
        if kind is None:
            return
        end = _end_of_tag(xmp, begin if is_empty else parser.CurrentByteIndex)
        if not _IS_OFF.search(xmp[begin:end][:200]):
            found.cuts.append((begin, end))
            announce(kind, xmp[begin:end])

    def refuse(*_: Any) -> None:
        raise ValueError("XMP has no document type.")

    parser.StartElementHandler, parser.EndElementHandler = start, stop
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(xmp.rstrip(b"\0"), True)  # some writers pad it
    return found


def _end_of_tag(xmp: bytes, start: int) -> int:
    """The place behind the tag that starts at a place."""
    match = _TAG.match(xmp, start)
    if match is None:
        raise ValueError("A tag has no end.")
    return match.end()
