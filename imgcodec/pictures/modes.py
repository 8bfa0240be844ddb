"""Pillow's images of all modes as RGB with 8 bits per sample: gray, palettes, CMYK, 16 bits, colour keys."""

import io
import re
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from imgcodec.bitstream.errors import InvalidFileError

Pixels: TypeAlias = NDArray[np.uint8]

_GRAY = ("1", "L", "LA", "La", "I", "F")
_PNM_HEAD = re.compile(rb"P[2356](?:(?:\s|#[^\n]*\n)+(\d+)){3}\s")  # the group is the last number, the maximum
_BITS_PER_SAMPLE = 258  # TIFF tag


def is_gray(image: Image.Image) -> bool:
    """Whether the image has one colour channel."""
    return image.mode in _GRAY or image.mode.startswith("I;16")


def bit_depth(image: Image.Image, data: bytes) -> int:
    """Bits per sample of the original, 1 to 16; those of its colours, where it has a palette.

    data: the bytes of the file, whose header is read where it tells, because Pillow reduces some files to 8 bits
    silently; empty where they are not known. To be called before the image is loaded.
    """
    usual = {"1": 1}.get(image.mode, 16 if image.mode.startswith("I") else 8)
    if image.mode in ("1", "P", "PA"):
        return usual
    try:
        stated = _stated(image, data)
    except (IndexError, TypeError, ValueError):
        return usual
    return stated if 1 <= stated <= 16 else usual


def _stated(image: Image.Image, data: bytes) -> int:
    """The bit depth that a file's header states."""
    if image.format == "PNG":
        return data[24] if data else _raw_depth(image)
    if image.format == "TIFF":
        value = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 8)
        return max(value) if isinstance(value, tuple) else int(value)
    if image.format == "PPM" and (head := _PNM_HEAD.match(data)):
        return int(head[1]).bit_length()
    if image.format == "JPEG2000" and (start := data.find(b"\xff\x4f\xff\x51")) >= 0:
        return (data[start + 42] & 0x7F) + 1
    if image.format == "AVIF" and (start := data.find(b"pixi")) >= 0:
        return max(data[start + 9 : start + 9 + data[start + 8]])
    return 16 if image.mode.startswith("I") else 8


def _raw_depth(image: Image.Image) -> int:
    """The bit depth of a PNG that Pillow has opened, but not decoded yet: its raw mode has a name like `RGB;16B`."""
    return int(re.findall(r";(\d+)", str(getattr(image, "tile", [])[0][3]))[0])


def to_arrays(image: Image.Image, bits: int) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8, of an image of any mode but CMYK and LAB. bits: per
    sample of the original. Raises InvalidFileError for samples without a known range."""
    key = image.info.get("transparency")
    if image.mode == "F":
        raise InvalidFileError(
            "Floating-point samples have no range that is known; convert them to 8 or 16 bits first."
        )
    if image.mode.startswith("I"):
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise InvalidFileError("Samples of more than 16 bits are not read; convert them to 16 bits first.")
        narrow = ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)
        alpha = np.where(wide == key, 0, 255).astype(np.uint8) if isinstance(key, int) else None
        return np.repeat(narrow[..., None], 3, axis=2), alpha
    if image.mode == "La":
        image = image.convert("LA")
    if bits > 8 and isinstance(key, tuple):  # the key has 16 bits, what Pillow has decoded has their upper 8
        image.info["transparency"] = tuple(value >> 8 for value in key)
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    samples = np.asarray(image.convert("RGBA"))
    return np.ascontiguousarray(samples[..., :3]), np.ascontiguousarray(samples[..., 3])


def to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """A CMYK or LAB image as sRGB, by its profile if that is valid, else by formula; and a note that says which."""
    name = image.mode
    try:
        profile = ImageCms.createProfile("LAB") if name == "LAB" else ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except Exception:  # no profile, one of another colour space, a damaged one
        return image.convert("RGB"), f"its {name} is converted to sRGB by formula, for want of a profile"
    if converted is None:  # only when asked to convert in place
        raise InvalidFileError(f"Its {name} cannot be converted to sRGB.")
    return converted, f"its {name} is converted to sRGB"


def turned(array: Pixels, turn: int) -> Pixels:
    """An array (H, W, ...) with the EXIF orientation 2 to 8 applied."""
    if turn in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
