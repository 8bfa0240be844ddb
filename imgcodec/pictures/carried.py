"""A picture's metadata as each format of image files carries them, and notes on what it cannot hold."""

from __future__ import annotations

from PIL import PngImagePlugin

from imgcodec.pictures import exif, extended_xmp
from imgcodec.pictures.formats import png, tiff
from imgcodec.pictures.picture import Picture

_JPEG_SEGMENT = 65533  # bytes in a segment
_XMP_HEAD = 29
_JFIF_DENSITY = 65535  # the highest, in dots per inch
# An ICC profile in a PNG is always compressed, and Pillow opens no file in which one unpacks to more.
_PNG_PROFILE = 2**20


def options(picture: Picture, format: str) -> tuple[dict[str, object], list[str]]:
    """A picture's metadata as options of Pillow's `save`, and notes on what the format cannot hold."""
    block = picture.exif and exif.PREFIX + picture.exif
    dpi = picture.density and exif.to_dpi(picture.density)
    carried: dict[str, object] = {"icc_profile": picture.icc, "exif": block, "xmp": picture.xmp, "dpi": dpi}
    notes: list[str] = []
    if format == "PPM":
        if any(carried.values()):
            notes.append("PPM has no metadata, which were left out")
        carried = {}
    elif format == "WEBP":
        if picture.gray and picture.icc:
            notes.append("WebP has no gray pictures, and its gray ICC profile was left out")
            del carried["icc_profile"]
        if picture.density and not picture.exif:
            carried["exif"] = exif.of_density(picture.density)
        elif picture.density != exif.density(picture.exif):
            notes.append("WebP has no place for its density, which was left out")
    elif format == "TIFF":
        carried |= {"exif": None, "xmp": None}  # see `finished`
    elif format == "JPEG":
        if block and len(block) > _JPEG_SEGMENT:
            del carried["exif"]
            notes.append("its EXIF is too long for a JPEG and was left out")
        if picture.xmp and len(picture.xmp) > _JPEG_SEGMENT - _XMP_HEAD:
            carried["xmp"], carried["extra"] = extended_xmp.split(picture.xmp)
        if dpi and not all(1 <= round(value) <= _JFIF_DENSITY for value in dpi):
            del carried["dpi"]
            notes.append("JPEG cannot state its density, which was left out")
    elif format == "PNG":
        if picture.xmp:
            text = PngImagePlugin.PngInfo()
            text.add_itxt(png.XMP_KEYWORD, picture.xmp)  # bytes: they need not be UTF-8; not compressed: of any length
            carried |= {"pnginfo": text, "xmp": None}
        if picture.icc and len(picture.icc) > _PNG_PROFILE:
            del carried["icc_profile"]
            notes.append(
                "its ICC profile of more than 1 MiB makes PNG files that many programs cannot open, and was left out; "
                "TIFF, WebP and JPEG take it"
            )
    return {name: value for name, value in carried.items() if value}, notes


def finished(file: bytes, picture: Picture, format: str) -> tuple[bytes, list[str]]:
    """A file as Pillow has written it, with the metadata that Pillow would write in another form; and notes on what has
    no place there."""
    return tiff.with_metadata(file, picture) if format == "TIFF" else (file, [])
