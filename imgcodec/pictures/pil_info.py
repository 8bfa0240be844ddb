"""`Image.info` of a PIL image with the types that are expected in it.

Programs may put anything there, and Pillow itself puts the text of a PNG there under any name. What can be understood
is converted, what cannot is left out with a note.
"""

import math
import operator
from collections.abc import Callable, Mapping, Set
from typing import Any

from PIL import Image, ImageCms

from imgcodec.pictures import exif as exif_blocks
from imgcodec.pictures.exif import Density

NAMES = ("icc_profile", "exif", "xmp")
"""Of metadata that are bytes."""

_KEY = "transparency"
_RAW_PROFILE = "Raw profile type "
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def made(
    icc: bytes | None = None, exif: bytes | None = None, xmp: bytes | None = None, density: Density | None = None
) -> dict[str, Any]:
    """The entries that say what the fields of a picture say. The density is that of EXIF where there is no other."""
    block = exif_blocks.PREFIX + exif if exif else None
    info = {name: value for name, value in zip(NAMES, (icc, block, xmp), strict=True) if value}
    density = density or exif_blocks.density(exif)
    return info | ({"dpi": exif_blocks.to_dpi(density)} if density else {})


def checked(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The same image, which must be loaded, with an `info` of its own: entries that are read here have the types that
    Pillow's readers give them. And notes on those that were left out. The original stays as it is."""
    info: dict[Any, Any] = {name: value for name, value in image.info.items() if value is not None}
    left_out: list[str] = []
    for name in [name for name in info if name in _CONVERSIONS or str(name).startswith(_RAW_PROFILE)]:
        words, convert = _CONVERSIONS.get(name, ("text", _text))
        try:
            info[name] = convert(info[name])
        except Exception:  # an object of any type may raise anything
            del info[name]
            left_out.append(words)
    if _KEY in info:
        try:
            info[_KEY] = _colour_key(image, info[_KEY])
        except Exception:
            del info[_KEY]
            if image.mode not in _WITH_ALPHA:  # whose alpha says more
                left_out.append("colour key")
    if "jfif_unit" in info and "jfif_density" not in info:
        del info["jfif_unit"]
    return _with_info(image, info), [f"its {words} has an unknown form and was left out" for words in left_out]


def _with_info(image: Image.Image, info: dict[Any, Any]) -> Image.Image:
    """An image that shares the pixels and all else: to change that of the caller would be no good manners."""
    view = object.__new__(type(image))
    view.__dict__.update(image.__dict__)
    view.info = info
    return view


def _colour_key(image: Image.Image, value: Any) -> int | bytes | tuple[int, ...]:
    """The colour, the index or the opacities of a palette that are transparent, as Pillow's readers give them; numbers
    of a PNG have up to 16 bits. Raises some exception for anything else."""
    if image.mode == "P" and isinstance(value, bytes | bytearray | memoryview):
        return _within(len(value), 256) and bytes(value)
    if image.mode == "P":
        return _within(operator.index(value), 255)
    if image.mode == "RGB":
        red, green, blue = (_within(operator.index(number), 65535) for number in value)
        return red, green, blue
    if image.mode in ("1", "L") or image.mode.startswith("I"):
        wide = image.mode.startswith("I") or image.format == "PNG"
        return _within(operator.index(value), 65535 if wide else 255)
    raise ValueError("no place for a colour key")


def _within(number: int, maximum: int) -> int:
    if not 0 <= number <= maximum:
        raise ValueError("out of range")
    return number


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Image.Exif | ImageCms.ImageCmsProfile):
        return value.tobytes()
    raise TypeError("no bytes")


def _text(value: Any) -> str | bytes:
    return value if isinstance(value, str) else _bytes(value)


def _pair(value: Any) -> tuple[float, float]:
    if isinstance(value, Set | Mapping):  # which have no order
        raise TypeError("no pair")
    across, down = (_number(each) for each in value)
    return across, down


def _number(value: Any) -> float:
    number = float("text" if isinstance(value, str | bytes | bool) else value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _chromaticities(value: Any) -> tuple[float, ...]:
    return tuple(_number(each) for each in value)


def _resources(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("no resources")
    return value


# How an entry is called in a note, and what gives it its type or raises some exception.
_CONVERSIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "icc_profile": ("ICC profile", _bytes),
    "exif": ("EXIF", _bytes),
    "xmp": ("XMP", _text),
    "XML:com.adobe.xmp": ("XMP", _text),
    "comment": ("comment", _text),
    "dpi": ("density", _pair),
    "jfif_density": ("density", _pair),
    "jfif_unit": ("unit of density", operator.index),
    "photoshop": ("Photoshop block", _resources),
    "gamma": ("gamma", _number),
    "chromaticity": ("chromaticity", _chromaticities),
}
