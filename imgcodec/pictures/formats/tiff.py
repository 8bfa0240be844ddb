"""TIFF: one directory is that of the pixels and of what describes the picture. What of it is kept, as EXIF.

Pillow turns a TIFF when it loads it, and takes the orientation out. (TIFF 6.0;
Adobe Photoshop TIFF technical notes.)
"""

from __future__ import annotations

import re
import struct
from typing import Any

from PIL import Image

from imgcodec.pictures import directories, exif
from imgcodec.pictures.formats.findings import IPTC, LAYERS, Findings, photoshop, unknown
from imgcodec.pictures.formats.jpeg import behind
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.xmp import PICTURES
from imgcodec.pillow_errors import PillowError, pillow_errors

XMP = 700
_BYTE, _SHORT = 1, 3  # types
_DENSITY = (exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT)
_INNER = (exif.EXIF_DIRECTORY, exif.GPS_DIRECTORY)
_PHOTOSHOP, _IPTC, _LAYERS = 34377, 33723, 37724
_PICTURES, *_OTHERS = _DIRECTORIES = (330, 400, 33424, 34954)  # tags that point to them
_WHITE, _PRIMARIES, _TRANSFER = 318, 319, 301
_PILLOW_TURNS = re.compile(rb"""tiff:Orientation(="|>)([0-9])""")  # by XMP, where it has this form
_SRGB_WHITE, _SRGB_PRIMARIES = (0.3127, 0.329), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
# Tags that say how the pixels lie in a file, what they mean, or where something else does.
_LAYOUT = frozenset(
    {254, 255, 256, 257, 258, 259, 273, 274, 277, 278, 279, 280, 281, 284, 300, 301, 317, 318, 319, 332, 333, 334, 336}
    | {*range(262, 267), *range(288, 294), *range(320, 329), *range(338, 348), *range(512, 522), *range(529, 533), 559}
    | {*range(32995, 32999), 33421, 33422, *range(34016, 34031), 34665, 34675, 34677, 34853}
)
_SAID_ELSEWHERE = frozenset({XMP, _PHOTOSHOP, _IPTC, _LAYERS, *_DIRECTORIES})


def read(image: Image.Image, data: bytes) -> Findings:
    """What a TIFF holds. image: loaded by Pillow. data: the bytes of the file, empty where they are not known."""
    tags = getattr(image, "tag_v2", {})
    xmp = tags.get(XMP)
    xmp = xmp[0] if isinstance(xmp, tuple) and len(xmp) == 1 else xmp
    seen = xmp if isinstance(xmp, bytes) else b""  # by Pillow
    found = Findings(xmp=seen or _bytes_of(XMP, data))
    number = _orientation(image, data)
    found.is_turned = number is not None or _PILLOW_TURNS.search(seen) is not None
    if _PHOTOSHOP in tags:
        resources = tags[_PHOTOSHOP]  # bytes, or numbers where the type of the tag is another
        found.lose(*photoshop(resources if isinstance(resources, bytes) else b""))
    found.lose(*([IPTC] if _IPTC in tags else []))
    found.lose(*([LAYERS] if _LAYERS in tags else []))
    found.lose(*([PICTURES] if _PICTURES in tags else []))
    found.lose(*unknown("TIFF tag", (str(tag) for tag in _OTHERS if tag in tags)))
    found.lose(*behind(directories.behind(data)))
    found.are_colours_others = _are_others(tags)
    found.exif, note = _block(image, data, number)
    found.notes += [note] if note else []
    return found


def prepare(image: Image.Image) -> None:
    """Takes XMP whose tag is of another type than bytes out of an image that is to be loaded, for Pillow looks in it
    for an orientation, and fails. `read` finds it in the file."""
    if image.format == "TIFF" and not isinstance(image.info.get("xmp", b""), bytes):
        del image.info["xmp"]


def with_metadata(file: bytes, picture: Picture) -> tuple[bytes, list[str]]:
    """A TIFF as Pillow writes it, with EXIF and XMP of a picture as tags; and notes on what has no place there.

    In a TIFF one directory is that of the EXIF and of the pixels. It is written in the byte order of the EXIF, on which
    makers' notes may rely.
    """
    described = directories.read(picture.exif or b"")
    own = directories.read(file)
    if own is None or not (picture.exif or picture.xmp):
        return file, []
    first = directories.ordered(own, described.order if described else own.order)
    notes = []
    if described:
        has_same_density = picture.density == exif.density(picture.exif)
        for tag, value in described.fields.items():
            if is_descriptive(tag) and (tag not in first.fields or (has_same_density and tag in _DENSITY)):
                first.fields[tag] = value
        first.inner |= described.inner
    if picture.exif and not (described and described.is_whole):
        notes.append("its EXIF is damaged, and what cannot be read of it was left out")
    if exif.has_thumbnail(picture.exif):
        notes.append("TIFF has no place for the thumbnail of its EXIF, which was left out")
    if picture.xmp:
        first.fields[XMP] = (_BYTE, picture.xmp)
    return directories.with_first(file, first), notes


def is_descriptive(tag: int) -> bool:
    """Whether a tag of the first directory says something about the picture that another file can keep."""
    return tag not in _LAYOUT and tag not in _SAID_ELSEWHERE


def _bytes_of(tag: int, data: bytes) -> bytes | None:
    """The value of a tag as it stands in the file, whatever its type; None where there is none."""
    directory = directories.read(data)
    return directory.fields[tag][1] if directory and tag in directory.fields else None


def _orientation(image: Image.Image, data: bytes) -> int | None:
    """The orientation that the file states, or one by a quarter if its sides are those of the image exchanged."""
    tags = getattr(image, "tag_v2", {})
    number = tags.get(exif.ORIENTATION) or exif.orientation(data)  # Pillow takes the tag away when it has turned
    sides = tags.get(256), tags.get(257)
    if number is None and sides == image.size[::-1] != image.size:
        return exif.QUARTER_TURNS[1]
    return number if isinstance(number, int) else None


def _block(image: Image.Image, data: bytes, orientation: int | None) -> tuple[bytes | None, str | None]:
    """An EXIF block of what describes the picture, with the orientation that the file states; and a note where a part
    of it cannot be read."""
    note = "its EXIF is damaged, and what cannot be read of it was left out"
    found = directories.read(data)
    if found is None:  # a file that is not known, or a BigTIFF
        try:
            with pillow_errors():
                source = image.getexif()
                kept = Image.Exif()
                kept.update({tag: source[tag] for tag in list(source) if is_descriptive(tag) and tag not in _INNER})
                kept.update({tag: dict(inner) for tag in _INNER if (inner := source.get_ifd(tag))})
                found = directories.read(kept.tobytes().removeprefix(exif.PREFIX))
        except PillowError:
            return None, note
        if found is None:
            return None, None
    found.fields = {tag: value for tag, value in found.fields.items() if is_descriptive(tag)}
    if not found.fields and not found.inner:
        return None, None if found.is_whole else note
    if orientation not in (None, exif.UPRIGHT):
        found.fields[exif.ORIENTATION] = (_SHORT, struct.pack(found.order + "H", orientation))
    return directories.block(found), None if found.is_whole else note


def _are_others(tags: Any) -> bool:
    """Whether a file states a transfer function, or primaries that are not those of sRGB."""
    try:
        white, primaries = (
            [float(value) for value in tags.get(tag, usual)]
            for tag, usual in ((_WHITE, _SRGB_WHITE), (_PRIMARIES, _SRGB_PRIMARIES))
        )
    except (TypeError, ValueError, ArithmeticError):
        return False
    pairs = zip((*white, *primaries), (*_SRGB_WHITE, *_SRGB_PRIMARIES), strict=False)
    return _TRANSFER in tags or any(abs(a - b) > 0.01 for a, b in pairs)
