"""Metadata of pictures: orientation, density, EXIF, XMP and ICC, as bytes.

EXIF is kept to the byte, but for the few that are wrong once the picture is turned: writing the block anew would break
the offsets inside makers' notes. Nothing here raises for damaged metadata.
"""

import re
import struct
from typing import Any, TypeAlias

from PIL import Image

from imgcodec.pictures import chunks, extended_xmp

Density: TypeAlias = tuple[int, int]
"""Pixels per metre, across and down, each 1 .. 2**32 - 1."""

EXIF_PREFIX = b"Exif\0\0"
UPRIGHT = 1

_INCH_METRES = 0.0254
_ORIENTATION = 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_INCH, _CENTIMETRE = 2, 3
_THUMBNAIL_OFFSET, _THUMBNAIL_BYTES = 0x0201, 0x0202
_INTEGERS = {1: "B", 3: "H", 4: "I"}  # the TIFF types in which writers store the orientation
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_XMP = 700
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_IPTC = 0x0404  # a resource of Photoshop
_CICP_SRGB = bytes([1, 13])  # primaries and transfer function
_GAMMA = 1 / 2.2
_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_SUB_DIRECTORIES = (0x8769, 0x8825)  # Exif and GPS
_DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)

_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([2-8])""")


def read_exif(image: Image.Image) -> tuple[bytes | None, str | None]:
    """The EXIF block from its byte order mark on, or None; and a note where there is one that cannot be kept."""
    try:
        exif = image.info.get("exif")
        if exif is None:
            exif = _raw_profile(image, "exif", EXIF_PREFIX)
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
    """The XMP packet, or None; and a note where there is one that cannot be read."""
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if xmp is None:
        try:
            xmp = _raw_profile(image, "xmp", _XMP_SEGMENT)
        except (IndexError, ValueError):
            return None, "its XMP cannot be read and was left out"
    if isinstance(xmp, str):
        xmp = xmp.encode(errors="surrogateescape")
    if not isinstance(xmp, bytes) or not xmp:
        return None, None
    return extended_xmp.joined(xmp, getattr(image, "applist", ()))


def read_icc(image: Image.Image) -> bytes | None:
    """The ICC profile, or None."""
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) and icc else None


def read_density(image: Image.Image, exif: bytes | None) -> Density | None:
    """The density that the file states, else that of its EXIF, else None."""
    if "jfif_unit" in image.info:  # without it, Pillow's density of a JPEG is invented
        size = image.info["jfif_density"]
        dpi = {1: size, 2: (2.54 * size[0], 2.54 * size[1])}.get(image.info["jfif_unit"])
    elif image.format in ("JPEG", "MPO"):
        dpi = None
    else:
        dpi = image.info.get("dpi")
    return _density(dpi) or exif_density(exif)


def exif_density(exif: bytes | None) -> Density | None:
    """The density that an EXIF block states, or None."""
    if not exif:
        return None
    parsed = Image.Exif()
    try:
        parsed.load(exif)
        across, down = float(parsed[_X_RESOLUTION]), float(parsed[_Y_RESOLUTION])
        unit = {_INCH: 1.0, _CENTIMETRE: 2.54}[parsed.get(_RESOLUTION_UNIT, _INCH)]
    except Exception:  # there is none, and whatever Pillow makes of damaged metadata
        return None
    return _density((unit * across, unit * down))


def turned(density: Density, turn: int) -> Density:
    """The density of a picture once the EXIF orientation 1 to 8 is applied."""
    return density[::-1] if turn in (5, 6, 7, 8) else density


def to_dpi(density: Density) -> tuple[float, float]:
    """Pixels per inch, rounded to a whole number where a whole number of pixels per metre cannot tell the two apart."""
    across, down = (_INCH_METRES * per_metre for per_metre in density)
    return _whole_dpi(across), _whole_dpi(down)


def _whole_dpi(dpi: float) -> float:
    return float(round(dpi)) if abs(dpi - round(dpi)) <= _INCH_METRES / 2 else dpi


def exif_of_density(density: Density) -> bytes:
    """An EXIF block that states the density and nothing else."""
    exif = Image.Exif()
    exif[_X_RESOLUTION], exif[_Y_RESOLUTION] = to_dpi(density)
    exif[_RESOLUTION_UNIT] = _INCH
    return exif.tobytes()


def lost(image: Image.Image, data: bytes) -> list[str]:
    """Notes on metadata of a file that are not kept. data: its bytes; empty where they are not known.

    The notes quote nothing of it, because a terminal may obey what it contains.
    """
    text = getattr(image, "text", {}).keys() - {"XML:com.adobe.xmp"}
    found = {
        "comment": image.info.get("comment"),
        "IPTC record": _IPTC in (image.info.get("photoshop") or ()),
        "text": any(not name.startswith("Raw profile type ") for name in text),
    }
    names = [name for name, there in found.items() if there]
    notes = [f"its {' and '.join(names)} {'were' if len(names) > 1 else 'was'} left out"] if names else []
    if not read_icc(image) and _is_not_srgb(image, data):
        notes.append("its colours are not sRGB (gAMA, cHRM or cICP), but are taken as such")
    return notes


def tiff_tags(exif: bytes | None, xmp: bytes | None) -> dict[int, Any]:
    """EXIF and XMP as tags of a TIFF, in which one directory is that of the EXIF and of the pixels."""
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
    """The colour space in the header of a profile: RGB, GRAY, CMYK ..."""
    return icc[16:20].decode("latin-1").strip()


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """The orientation, 1 (upright) to 8 as EXIF counts; that of XMP where EXIF has none."""
    value = UPRIGHT
    if places := _orientations(exif or b""):
        form, offset = places[-1]  # as with most readers, the last one counts
        (value,) = struct.unpack_from(form, exif or b"", offset)
    elif found := _XMP_ORIENTATION.search(xmp or b""):
        value = int(found[2])
    return value if 1 <= value <= 8 else UPRIGHT


def upright_exif(exif: bytes) -> bytes:
    """The block of a picture that was turned: orientation upright, and without the thumbnail, which was not turned."""
    changed = bytearray(exif)
    for form, offset in _orientations(exif):
        struct.pack_into(form, changed, offset, UPRIGHT)
    _erase_thumbnail(changed)
    return bytes(changed)


def upright_xmp(xmp: bytes) -> bytes:
    """The packet with its orientation set to upright."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


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


def _erase_thumbnail(exif: bytearray) -> None:
    """Ends the list of directories after the first, and overwrites the thumbnail with zeros, which cost nothing."""
    order = _BYTE_ORDERS.get(bytes(exif[:4]))
    if order is None:
        return
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        link = directory + 2 + 12 * count
        (second,) = struct.unpack_from(order + "I", exif, link)
        if not second:
            return
        struct.pack_into(order + "I", exif, link, 0)
        (count,) = struct.unpack_from(order + "H", exif, second)
        entries = [struct.unpack_from(order + "HHII", exif, second + 2 + 12 * index) for index in range(count)]
    except struct.error:  # cut short
        return
    places = {tag: value for tag, _, _, value in entries}
    start, size = places.get(_THUMBNAIL_OFFSET, 0), places.get(_THUMBNAIL_BYTES, 0)
    if link + 4 <= start and start + size <= len(exif):  # behind what the block begins with, and inside it
        exif[start : start + size] = bytes(size)


def _raw_profile(image: Image.Image, name: str, segment: bytes) -> bytes | None:
    """A block that ImageMagick writes into a PNG's text: a name, the length, the bytes in hexadecimal.

    It is called `name`, or like a JPEG's segment, APP1; then it begins with `segment`.
    """
    for found in (name, "APP1"):
        text = image.info.get(f"Raw profile type {found}")
        if text is not None:
            _, _, length, *lines = str(text).split("\n")
            data = bytes.fromhex("".join(lines)[: 2 * int(length)])
            if found == name or data.startswith(segment):
                return data.removeprefix(segment)
    return None


def _density(dpi: Any) -> Density | None:
    try:
        across, down = (round(float(value) / _INCH_METRES) for value in dpi)
    except (TypeError, ValueError, ArithmeticError):  # not two numbers, or not finite
        return None
    return (across, down) if 0 < across < 2**32 and 0 < down < 2**32 else None


def _is_not_srgb(image: Image.Image, data: bytes) -> bool:
    """Whether a PNG without a profile states other colours than those of sRGB."""
    if image.format != "PNG":
        return False
    for name, chunk in chunks.parts(data):
        if name == "cICP":
            return chunk[8:10] != _CICP_SRGB
    if "srgb" in image.info:
        return False
    gamma, primaries = image.info.get("gamma", _GAMMA), image.info.get("chromaticity", _PRIMARIES)
    return abs(gamma - _GAMMA) > 0.02 or any(abs(a - b) > 0.01 for a, b in zip(primaries, _PRIMARIES, strict=False))


def _descriptive(source: Image.Exif) -> dict[int, Any]:
    """The tags that describe the picture, without those that describe the layout of its pixels in a file."""
    tags: dict[int, Any] = {tag: source[tag] for tag in _DESCRIPTIVE if tag in source}
    # Pillow reads text as Latin-1 and writes it as ASCII: give it bytes, where they are not.
    tags |= {tag: v.encode("latin-1") for tag, v in tags.items() if isinstance(v, str) and not v.isascii()}
    directories = {tag: dict(source.get_ifd(tag)) for tag in _SUB_DIRECTORIES}
    return tags | {tag: directory for tag, directory in directories.items() if directory}
