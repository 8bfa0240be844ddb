"""PNG: chunks of text and of ICC profiles, which Pillow reads up to 1 MiB alone, and what no chunk of ours keeps.

ImageMagick and exiftool put EXIF, XMP, IPTC and ICC profiles into text, in hexadecimal ("Raw profile type ..."). (W3C,
PNG third edition; ImageMagick, coders/png.c.)
"""

import struct
import zlib
from collections.abc import Iterable, Sequence

from PIL import Image

from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.pictures import chunks
from imgcodec.pictures.exif import PREFIX
from imgcodec.pictures.formats.findings import (
    BITS,
    CREDENTIALS,
    IPTC,
    PIXEL_SHAPE,
    PNG_TEXT,
    Findings,
    photoshop,
    unknown,
)
from imgcodec.pictures.formats.jpeg import behind

XMP_KEYWORD = b"XML:com.adobe.xmp"
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_RAW = b"Raw profile type "
_LARGEST = (
    DEFAULT_LIMITS.metadata_bytes
)  # bytes that a chunk may unpack to; those of text in hexadecimal, twice as many
_READ_HERE = frozenset({"iCCP", "eXIf", "tEXt", "zTXt", "iTXt"})
_CICP, _GAMMA, _PRIMARIES, _SRGB = "cICP", "gAMA", "cHRM", "sRGB"
_BITS = "sBIT"
_PALETTE = 3  # the type of colour
_SRGB_GAMMA = 1 / 2.2
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
# What the pixels are decoded from, what is kept, what is said otherwise, and what says how the file is laid out.
_KNOWN = _READ_HERE | {"PNG", "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "pHYs", "caBX", chunks.TRAILER}
_KNOWN |= {_CICP, _GAMMA, _PRIMARIES, _SRGB, "acTL", "fcTL", "fdAT", _BITS, "hIST", "iDOT"}


def without_metadata(data: bytes) -> bytes:
    """The file without the chunks that are read here, so that Pillow does not refuse it for their size or damage."""
    found = chunks.parts(data)
    return chunks.without(found, set(_READ_HERE)) if any(name in _READ_HERE for name, _ in found) else data


def read(image: Image.Image, data: bytes) -> Findings:
    """What a PNG holds. image: opened by Pillow. data: the bytes of the file; where they are not known, or not whole,
    what Pillow has read of its text."""
    found = Findings()
    parts = chunks.parts(data)
    if not parts:
        _read_texts(found, _texts_of(image))
        if "icc_profile" in image.info and not image.info["icc_profile"]:
            found.notes.append("its ICC profile cannot be read and was left out")
        gamma, primaries = image.info.get("gamma", _SRGB_GAMMA), image.info.get("chromaticity", ())
        found.are_colours_others = "srgb" not in image.info and _are_others(gamma, primaries)
        return found
    texts = []
    for name, part in parts:
        if name not in _READ_HERE:
            continue
        body = part[8:-4]
        try:
            if int.from_bytes(part[-4:], "big") != zlib.crc32(part[4:-4]):
                raise ValueError("The checksum is wrong.")
            if name == "iCCP":
                found.keep("icc", _unpacked(body[body.index(b"\0") + 1 :]))
            elif name == "eXIf":
                found.keep("exif", body)
            else:
                texts.append(_text(name, body))
        except (ValueError, IndexError, zlib.error):
            what = {"iCCP": "ICC profile", "eXIf": "EXIF"}.get(name, "PNG text")
            found.notes.append(f"its {what} cannot be read and was left out")
    found.notes = list(dict.fromkeys(found.notes))
    _read_texts(found, texts)
    bodies = {name: part[8:-4] for name, part in parts if name in _KNOWN - {"IDAT"}}
    if len(code := bodies.get(_CICP, b"")) == 4:
        found.cicp = code[0], code[1]
        if not code[3]:
            found.notes.append("its samples are of limited range (cICP), but are taken as full range")
    found.are_colours_others = _CICP not in bodies and _SRGB not in bodies and _are_others(*_stated(bodies))
    if len(shape := bodies.get("pHYs", b"")) == 9 and shape[8] == 0 and shape[:4] != shape[4:8]:
        found.lose(PIXEL_SHAPE)
    found.lose(*([BITS] if _has_fewer_bits(bodies) else []))
    found.lose(*([CREDENTIALS] if "caBX" in bodies else []))
    found.lose(*unknown("chunk", (name for name, _ in parts if name not in _KNOWN)))
    found.lose(*behind(bodies_behind(parts)))
    return found


def bodies_behind(parts: list[chunks.Part]) -> bytes:
    """What follows the last chunk."""
    return parts[-1][1] if parts[-1][0] == chunks.TRAILER else b""


def _read_texts(found: Findings, texts: Iterable[tuple[bytes, bytes]]) -> None:
    """Takes what is known of keywords and texts."""
    raw: dict[tuple[bytes, bytes], None] = {}  # in their order, each once
    for keyword, text in texts:
        if keyword == XMP_KEYWORD:
            found.keep("xmp", text)
        elif keyword.startswith(_RAW):
            raw[keyword.removeprefix(_RAW), text] = None
        else:
            found.lose(PNG_TEXT)
    for name, text in raw:
        what = {b"exif": "EXIF", b"xmp": "XMP", b"icc": "ICC profile", b"icm": "ICC profile", b"APP1": "EXIF"}
        try:
            block = _from_hexadecimal(text)
        except (ValueError, IndexError):
            found.notes.append(f"its {what.get(name, 'PNG text')} cannot be read and was left out")
            continue
        if name == b"exif" or (name == b"APP1" and block.startswith(PREFIX)):
            found.keep("exif", block.removeprefix(PREFIX))
        elif name == b"xmp" or (name == b"APP1" and block.startswith(_XMP_SEGMENT)):
            found.keep("xmp", block.removeprefix(_XMP_SEGMENT))
        elif name in (b"icc", b"icm"):
            found.keep("icc", block)
        elif name in (b"iptc", b"8bim", b"APP13"):
            resources = block.removeprefix(b"Photoshop 3.0\0")
            found.lose(*(photoshop(resources) if resources.startswith(b"8BIM") else [IPTC]))
        else:
            found.lose(PNG_TEXT)


def _texts_of(image: Image.Image) -> list[tuple[bytes, bytes]]:
    """Keywords and texts of a PNG as Pillow has read them."""
    found = {**image.info, **getattr(image, "text", {})}
    xmp = image.info.get("xmp")
    texts = [(XMP_KEYWORD, xmp)] if isinstance(xmp, bytes) and xmp else []
    named = getattr(image, "text", {}).keys() | {name for name in image.info if str(name).startswith(_RAW.decode())}
    for name in named:
        if isinstance(name, str) and isinstance(found[name], str):
            texts.append((name.encode("utf-8", "replace"), found[name].encode("utf-8", "surrogateescape")))
    return texts


def _text(name: str, body: bytes) -> tuple[bytes, bytes]:
    """Keyword and text of a chunk; the text is empty where it is not looked at. Raises ValueError, IndexError or
    zlib.error where it cannot be read."""
    keyword, rest = body.split(b"\0", 1)
    if keyword != XMP_KEYWORD and not keyword.startswith(_RAW):
        return keyword, b""
    if name == "zTXt":
        return keyword, _unpacked(rest)
    if name == "iTXt":
        is_packed, method = rest[0], rest[1:2]
        _language, _translated, text = rest[2:].split(b"\0", 2)
        return keyword, _unpacked(method + text) if is_packed else text
    return keyword, rest


def _unpacked(packed: bytes) -> bytes:
    """The content of bytes that begin with the method of compression. Raises ValueError for another method and what
    unpacks to too much, zlib.error for what is no stream or is cut."""
    if packed[:1] != b"\0":
        raise ValueError("The method of compression is not known.")
    stream = zlib.decompressobj()
    content = stream.decompress(packed[1:], 2 * _LARGEST + 2**20)
    if not stream.eof:
        raise ValueError("The stream is cut, or too long.")
    return content


def _from_hexadecimal(text: bytes) -> bytes:
    """A block as ImageMagick writes it: an empty line, a name, the length, the bytes in hexadecimal."""
    _, _, length, *lines = text.split(b"\n")
    if int(length) < 0:
        raise ValueError("A length is not negative.")
    block = bytes.fromhex(b"".join(lines)[: 2 * int(length)].decode("ascii"))
    if len(block) < int(length):
        raise ValueError("The block is cut.")
    return block


def _has_fewer_bits(bodies: dict[str, bytes]) -> bool:
    """Whether fewer bits of a sample are significant than it has. Those of a palette have eight."""
    header = bodies.get("IHDR", b"").ljust(13, b"\0")
    depth = 8 if header[9] == _PALETTE else header[8]
    return any(bits < depth for bits in bodies.get(_BITS, b""))


def _stated(bodies: dict[str, bytes]) -> tuple[float, list[float]]:
    """The gamma and the primaries that chunks state; those of sRGB where there are none that can be read."""
    try:
        gamma = struct.unpack(">I", bodies[_GAMMA])[0] / 1e5 if _GAMMA in bodies else _SRGB_GAMMA
        places = struct.unpack(">8I", bodies[_PRIMARIES]) if _PRIMARIES in bodies else ()
    except struct.error:
        return _SRGB_GAMMA, []
    return gamma, [place / 1e5 for place in places]


def _are_others(gamma: float, primaries: Sequence[float]) -> bool:
    """Whether a gamma or primaries are not those of sRGB."""
    return abs(gamma - _SRGB_GAMMA) > 0.02 or any(
        abs(a - b) > 0.01 for a, b in zip(primaries, _SRGB_PRIMARIES, strict=False)
    )
