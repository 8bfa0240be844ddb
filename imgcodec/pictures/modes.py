"""Pillow's images of all modes as RGB with 8 bits per sample: gray, palettes, CMYK, 16 bits, colour keys."""

import io
import re
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.pillow_errors import PillowError, pillow_errors

Pixels: TypeAlias = NDArray[np.uint8]
Sample = TypeVar("Sample", np.uint8, np.uint16)

_GRAY = ("1", "L", "LA", "La", "I", "F")
_PNM_HEAD = re.compile(rb"P[2356](?:(?:\s|#[^\n]*\n)+(\d+)){3}\s")  # the group is the last number, the maximum
_BITS_PER_SAMPLE, _PHOTOMETRIC, _COLOUR_MAP, _SAMPLE_FORMAT = 258, 262, 320, 339  # TIFF tags
_SIGNED = 2  # a format of samples


def is_gray(image: Image.Image) -> bool:
    """Whether the image has one colour channel. To be called before it is loaded: Pillow makes RGBA of 16-bit gray
    with alpha in a PNG, and only forgets then what it was."""
    return image.mode in _GRAY or image.mode.startswith("I;16") or _raw_mode(image).startswith("LA;")


def _raw_mode(image: Image.Image) -> str:
    """How a PNG that Pillow has opened, but not decoded yet, has its samples: `RGB;16B`; empty for all others."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][3]) if image.format == "PNG" and tiles else ""


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
        if data:
            return data[24]
        raw_mode = _raw_mode(image)
        return int((re.findall(r";(\d+)", raw_mode) or [8])[0]) if raw_mode else _depth_of_key(image)
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


def _depth_of_key(image: Image.Image) -> int:
    """The bit depth of a PNG that Pillow has decoded to 8 bits, as far as its colour key tells, which has the bits of
    the file: one of two bits is 3 where white is 255."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        return 16
    if image.mode == "L" and isinstance(key, int):
        levels = np.flatnonzero(image.histogram())
        for bits in (2, 4):
            if 0 <= key < 2**bits and not (levels % (255 // (2**bits - 1))).any():
                return bits
    return 8


def is_gray_as_rgb(image: Image.Image) -> bool:
    """Whether an image of three colour channels, and perhaps alpha, has the same in each."""
    if image.mode not in ("RGB", "RGBA"):
        return False
    red, green, blue = image.split()[:3]
    return red.tobytes() == green.tobytes() == blue.tobytes()


def to_bytes(samples: NDArray[np.uint32], maximum: int) -> Pixels:
    """Samples 0 .. maximum (at most 65535) as 0 .. 255, rounded."""
    return ((samples * np.uint32(255) + np.uint32(maximum // 2)) // np.uint32(maximum)).astype(np.uint8)


def has_no_range(image: Image.Image) -> bool:
    """Whether the samples of an image are integers that may be negative, or that do not say which one is white."""
    return (image.mode == "I" and image.format != "PPM") or _is_signed(image)


def _is_signed(image: Image.Image) -> bool:
    """Whether an image is a TIFF of signed bytes, which Pillow takes for unsigned ones."""
    formats = getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT, ())
    return image.mode == "L" and isinstance(formats, tuple) and _SIGNED in formats


def narrowed(samples: NDArray[np.uint8] | NDArray[np.uint16], bits: int) -> Pixels:
    """Samples of so many bits as 8, rounded; those of 8 bits and less are 0 to 255 already."""
    return samples.astype(np.uint8, copy=False) if bits <= 8 else to_bytes(samples.astype(np.uint32), 2**bits - 1)


def guessed_depth(image: Image.Image) -> tuple[int, str]:
    """Bits per sample of an image that `has_no_range`, and a note on the range that is taken for theirs.

    Raises InvalidFileError for samples below 0 and over 65535.
    """
    samples = np.asarray(image)
    samples = samples.view(np.int8) if _is_signed(image) else samples
    low, high = int(samples.min()), int(samples.max())
    if low < 0 or high > 65535:
        raise InvalidFileError(
            "Samples below 0 or over 65535 have no range that is known; convert them to 16 bits first."
        )
    bits = 8 if high <= 255 else 16
    return bits, f"its samples do not say their range: 0 to {2**bits - 1} is taken for black to white"


def to_arrays(image: Image.Image, bits: int) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8, of an image of any mode but CMYK and LAB. bits: per
    sample of the original. Raises InvalidFileError for samples without a known range."""
    key = image.info.get("transparency")
    if image.mode == "F":
        raise InvalidFileError(
            "Floating-point samples have no range that is known; convert them to 8 or 16 bits first."
        )
    if image.mode.startswith("I"):
        return _wide_gray(image, bits, key)
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("P", "PA") and (palette := _narrow_palette(image)):
        image = image.copy()
        image.putpalette(palette, "RGB;L")
    if image.mode == "L" and isinstance(key, int):  # a key has the bits of the file, and samples were widened to 8
        maximum = 2 ** min(bits, 8) - 1
        image.info["transparency"] = (key & maximum) * 255 // maximum
    if image.mode == "1" and isinstance(key, int):
        image.info["transparency"] = 255 if key else 0  # Pillow 11 leaves it 1
    if isinstance(key, tuple) and max(key) > 255:  # a key of 16 bits; of the samples, the upper 8 are left
        image.info["transparency"] = tuple(value >> 8 for value in key)
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    samples = np.asarray(image.convert("RGBA"))
    return np.ascontiguousarray(samples[..., :3]), np.ascontiguousarray(samples[..., 3])


def _narrow_palette(image: Image.Image) -> bytes | None:
    """The palette of a TIFF that has bytes where numbers of 16 bits belong, of which Pillow keeps the upper ones, so
    that all is black; None for other images. Readers tell it as libtiff does, by its having no higher number."""
    numbers = getattr(image, "tag_v2", {}).get(_COLOUR_MAP, ())
    return bytes(numbers) if isinstance(numbers, tuple) and numbers and max(numbers) < 256 else None


def _wide_gray(image: Image.Image, bits: int, key: object) -> tuple[Pixels, Pixels | None]:
    wide, maximum = _gray_samples(image, bits)
    narrow = to_bytes(wide, maximum)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0:  # white is zero, and Pillow has not turned that round
        narrow = 255 - narrow
    alpha = np.where(wide == key, 0, 255).astype(np.uint8) if isinstance(key, int) else None
    return np.repeat(narrow[..., None], 3, axis=2), alpha


def wide_samples(image: Image.Image, bits: int) -> NDArray[np.uint16] | None:
    """All bits of an image of a mode I, uint16 (H, W, 1), or with alpha from its colour key (H, W, 2); None for other
    modes and where it is not known how many bits there are."""
    if not image.mode.startswith("I") or bits <= 8:
        return None
    wide, maximum = _gray_samples(image, bits)
    if maximum != 2**bits - 1:
        return None
    key = image.info.get("transparency")
    channels = [wide if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) != 0 else maximum - wide]
    if isinstance(key, int):
        channels.append(np.where(wide == key, 0, maximum))
    return np.stack(channels, axis=2).astype(np.uint16)


def _gray_samples(image: Image.Image, bits: int) -> tuple[NDArray[np.uint32], int]:
    """The samples of an image of a mode I, and the largest that there can be."""
    wide = np.asarray(image).astype(np.uint32)
    if image.format == "JPEG2000":
        wide >>= 16 - bits  # Pillow has put zeros behind
    widened = image.format == "PPM" or (image.mode != "I" and image.format not in ("TIFF", "JPEG2000"))
    return wide, 65535 if widened else 2**bits - 1


def to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """A CMYK or LAB image as sRGB, by its profile if that is valid, else by formula; and a note that says which."""
    name = image.mode
    try:
        with pillow_errors():
            stated = io.BytesIO(icc or b"")
            profile = ImageCms.createProfile("LAB") if name == "LAB" else ImageCms.ImageCmsProfile(stated)
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except PillowError:  # no profile, one of another colour space, a damaged one
        return image.convert("RGB"), f"its {name} is converted to sRGB by formula, for want of a profile"
    if converted is None:  # only when asked to convert in place
        raise InvalidFileError(f"Its {name} cannot be converted to sRGB.")
    return converted, f"its {name} is converted to sRGB"


def turned(array: NDArray[Sample], turn: int) -> NDArray[Sample]:
    """An array (H, W, ...) with the EXIF orientation 2 to 8 applied."""
    if turn in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
