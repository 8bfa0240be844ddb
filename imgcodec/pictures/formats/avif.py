"""AVIF: colours by number, the clean aperture, and pictures besides the first: gain maps, depth maps, thumbnails.

(AV1 Image File Format 1.1; ISO/IEC 23008-12, HEIF; ISO/IEC 14496-12, sections 8.11 and 12.1.)
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from PIL import Image

from imgcodec.pictures import exif
from imgcodec.pictures.formats.boxes import Box, behind_boxes, boxes, name
from imgcodec.pictures.formats.findings import CREDENTIALS, PIXEL_SHAPE, THUMBNAIL, Findings, unknown
from imgcodec.pictures.formats.jpeg import behind
from imgcodec.pictures.xmp import DEPTH_MAP, GAIN_MAP, PICTURES, VIDEO

_LAYOUT = {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"moov", b"moof", b"sidx", b"pdin"}
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_VIDEOS = {b"mpvd", b"sefd"}  # of Google's and Samsung's phones
_PICTURE_ITEMS = {b"av01", b"grid", b"iovl", b"iden", b"tmap", b"jpeg", b"hvc1", b"sato"}
_XMP_TYPE = b"application/rdf+xml"
_ALPHA = ("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1")


@dataclass
class _Items:
    """The items of a file by number. kinds: four characters. types: of those that are no pictures, or empty.
    properties: boxes. references: kind, from, to. places: where their bytes are, in the file or in `idat`."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    types: dict[int, bytes] = field(default_factory=dict)
    properties: dict[int, list[Box]] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    places: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    idat: memoryview = field(default_factory=lambda: memoryview(b""))


def read(image: Image.Image, data: bytes) -> Findings:
    """What an AVIF holds. image: opened by Pillow. data: the bytes of the file, empty where they are not known."""
    found = Findings()
    # libavif has read it from the file's own properties, which alone count; Pillow puts it into EXIF, written anew.
    found.turn = exif.orientation(bytes(image.info.get("exif") or b"").removeprefix(exif.PREFIX)) or exif.UPRIGHT
    others = []
    for kind, body in boxes(data):
        if kind == b"meta":
            try:
                items = _items(body)
            except (struct.error, IndexError):
                continue
            _read_items(found, items, data, image.size)
        elif kind in _VIDEOS:
            found.lose(VIDEO)
        elif kind == b"uuid" and bytes(body[:16]) == _C2PA:
            found.lose(CREDENTIALS)
        elif kind not in _LAYOUT and (any(kind) or any(body)):  # zeros are padding
            others.append(name(kind))
    found.lose(*unknown("box", others, "boxes"))
    found.lose(*behind(bytes(behind_boxes(data))))
    return found


def _read_items(found: Findings, items: _Items, data: bytes, size: tuple[int, int]) -> None:
    for kind, body in items.properties.get(items.primary, []):
        if kind == b"colr" and bytes(body[:4]) == b"nclx" and len(body) >= 8:
            found.cicp = struct.unpack_from(">HH", body, 4)
        elif kind == b"clap" and len(body) >= 32:
            found.crop = _crop(body, size)
            if found.crop is None:
                found.notes.append("its clean aperture is not valid, and all of it is kept")
        elif kind == b"pasp" and len(body) >= 8 and body[:4] != body[4:8]:
            found.lose(PIXEL_SHAPE)
    for number, kind in items.kinds.items():
        if kind == b"Exif":
            block = _content(items, number, data)
            start = 4 + int.from_bytes(block[:4], "big")
            found.keep("exif", block[start:].removeprefix(exif.PREFIX))
    packets = {_content(items, number, data) for number, kind in items.types.items() if kind == _XMP_TYPE}
    if len(packets) > 1:
        found.notes.append("only the first of its XMP packets is kept")
    found.lose(*_left_out(items))


def _left_out(items: _Items) -> list[str]:
    """Names of the items that are not part of the picture and not kept."""
    names = []
    parts = {items.primary}
    for _ in range(4):  # a derived picture of derived pictures
        parts |= {to for kind, start, ends in items.references if kind == b"dimg" and start in parts for to in ends}
    from_here = {(kind, start) for kind, start, ends in items.references if parts & set(ends)}
    inputs = {to for kind, start, ends in items.references if kind == b"dimg" for to in ends}
    maps = {to for kind, start, ends in items.references if items.kinds.get(start) == b"tmap" for to in ends}
    alphas = {number for number in items.kinds if _auxiliary(items, number) in _ALPHA}
    for number, kind in items.kinds.items():
        if kind == b"mime" and items.types.get(number) != _XMP_TYPE:
            names.append("further metadata")
        if kind not in _PICTURE_ITEMS or number in parts or number in alphas:
            continue
        auxiliary = _auxiliary(items, number)
        if kind == b"tmap" or number in maps or "gainmap" in auxiliary:
            names.append(GAIN_MAP)
        elif "depth" in auxiliary or auxiliary.endswith("auxid:2"):
            names.append(DEPTH_MAP)
        elif auxiliary:
            names.append("auxiliary picture")
        elif (b"thmb", number) in from_here:
            names.append(THUMBNAIL)
        elif number not in inputs:
            names.append(PICTURES)
    return list(dict.fromkeys(names))


def _auxiliary(items: _Items, number: int) -> str:
    """What an auxiliary picture is, as a URN; empty for others."""
    for kind, body in items.properties.get(number, []):
        if kind == b"auxC":
            return bytes(body[4:]).split(b"\0")[0].decode("latin-1")
    return ""


def _crop(body: memoryview, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The rectangle of a clean aperture; None where it is no rectangle of whole pixels inside the picture."""
    numbers = struct.unpack_from(">IIIIiIiI", body)
    if 0 in numbers[1::2]:
        return None
    width, height, right, down = (Fraction(a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=True))
    left, top = right + (size[0] - width) / 2, down + (size[1] - height) / 2
    edges = [left, top, left + width, top + height]
    if any(edge.denominator != 1 for edge in edges) or width < 1 or height < 1:
        return None
    if left < 0 or top < 0 or edges[2] > size[0] or edges[3] > size[1]:
        return None
    return int(edges[0]), int(edges[1]), int(edges[2]), int(edges[3])


def _content(items: _Items, number: int, data: bytes) -> bytes:
    """The bytes of an item, as far as they are there."""
    content = bytearray()
    for method, offset, size in items.places.get(number, []):
        source = memoryview(items.idat if method == 1 else data)
        content += source[offset : offset + size if size else len(source)]
    return bytes(content)


def _items(meta: memoryview) -> _Items:
    """Reads the tables of items. Raises struct.error or IndexError where they are cut."""
    items = _Items()
    there = dict(boxes(meta[4:]))
    if b"pitm" in there:
        body = there[b"pitm"]
        items.primary = int.from_bytes(body[4:8] if body[0] else body[4:6], "big")
    items.idat = there.get(b"idat", items.idat)
    if b"iinf" in there:
        _read_infos(items, there[b"iinf"])
    if b"iloc" in there:
        items.places = dict(_locations(there[b"iloc"]))
    if b"iref" in there:
        _read_references(items, there[b"iref"])
    if b"iprp" in there:
        _read_properties(items, there[b"iprp"])
    return items


def _read_infos(items: _Items, body: memoryview) -> None:
    for kind, entry in boxes(body[8 if body[0] else 6 :]):
        if kind == b"infe" and entry[0] >= 2:
            wide = entry[0] >= 3
            number = int.from_bytes(entry[4 : 8 if wide else 6], "big")
            start = 10 if wide else 8
            items.kinds[number] = bytes(entry[start : start + 4])
            _, _, rest = bytes(entry[start + 4 :]).partition(b"\0")
            items.types[number] = rest.split(b"\0")[0]


def _read_references(items: _Items, body: memoryview) -> None:
    form = ">I" if body[0] else ">H"
    wide = struct.calcsize(form)
    for kind, entry in boxes(body[4:]):
        (start,) = struct.unpack_from(form, entry)
        (count,) = struct.unpack_from(">H", entry, wide)
        ends = struct.unpack_from(f">{count}{form[1]}", entry, wide + 2)
        items.references.append((kind, start, list(ends)))


def _read_properties(items: _Items, body: memoryview) -> None:
    there = list(boxes(body))
    properties = [box for kind, inner in there if kind == b"ipco" for box in boxes(inner)]
    for kind, table in there:
        if kind != b"ipma":
            continue
        wide, long = table[0] >= 1, table[3] & 1
        (count,) = struct.unpack_from(">I", table, 4)
        place = 8
        for _ in range(count):
            (number,) = struct.unpack_from(">I" if wide else ">H", table, place)
            place += 4 if wide else 2
            many = table[place]
            form = f">{many}{'H' if long else 'B'}"
            indices = struct.unpack_from(form, table, place + 1)
            place += 1 + struct.calcsize(form)
            mask = 0x7FFF if long else 0x7F
            chosen = [properties[(index & mask) - 1] for index in indices if 0 < index & mask <= len(properties)]
            items.properties.setdefault(number, []).extend(chosen)


def _locations(body: memoryview) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """Of each item the construction method, offset and size of its extents."""
    version = body[0]
    sizes = body[4] >> 4, body[4] & 15, body[5] >> 4, body[5] & 15 if version else 0
    wide = 4 if version == 2 else 2
    place = 6

    def number(size: int) -> int:
        nonlocal place
        if place + size > len(body):
            raise IndexError("The table is cut.")
        place += size
        return int.from_bytes(body[place - size : place], "big")

    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base, extents = number(sizes[2]), []
        for _ in range(number(2)):
            number(sizes[3])
            offset = base + number(sizes[0])
            extents.append((method, offset, number(sizes[1])))
        yield item, extents
