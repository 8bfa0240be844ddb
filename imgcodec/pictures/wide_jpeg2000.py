"""White in JPEG 2000 files with colours or alpha of more than 8 bits, which Pillow turns into black.

Pillow rounds samples of p bits to 8, (v + 2**(p - 9)) >> (p - 8), and the highest become 256, of which a byte keeps 0.
So a file is decoded once more with another p in its header. With the wavelet 9/7 (irreversible) that scales what
OpenJPEG makes of it, and 8 is right at once. With 5/3 (reversible) it moves the middle, and p + 1 tells white from
black. The layout is that of ISO/IEC 15444-1, annex A. Untrusted input: no length is believed.
"""

import io
import struct

import numpy as np
from PIL import Image

_SIZE = b"\xff\x4f\xff\x51"  # start of codestream and the marker of its size
_STYLE = b"\xff\x52"  # coding style, default
_TILE = b"\xff\x90"
_MODES = ("LA", "RGB", "RGBA")
_SIGNED = 0x80


def has_wide_colours(image: Image.Image, data: bytes) -> bool:
    """Whether Pillow may have turned white into black. data: the file of the image, a JPEG 2000 or any other."""
    return image.format == "JPEG2000" and image.mode in _MODES and any(depth > 8 for depth in _depths(data))


def corrected(image: Image.Image, data: bytes) -> Image.Image:
    """The image of a file that `has_wide_colours` with its white. Raises whatever Pillow raises for damaged files."""
    depths = _depths(data)
    if not _is_reversible(data):
        return _decoded(data, [min(depth, 8) for depth in depths])
    samples = np.array(image)
    moved = np.asarray(_decoded(data, [depth + (depth > 8) for depth in depths]))
    samples[(samples == 0) & (moved > 128)] = 255  # black is 64 there, white 192
    return Image.fromarray(samples, mode=image.mode)


def _decoded(data: bytes, depths: list[int]) -> Image.Image:
    """The image of a file whose header says that its components have other bits per sample."""
    changed = bytearray(data)
    start = data.find(_SIZE)
    for index, depth in enumerate(depths):
        place = start + 42 + 3 * index
        changed[place] = changed[place] & _SIGNED | depth - 1
    with Image.open(io.BytesIO(changed), formats=["JPEG2000"]) as image:
        image.load()
        return image


def _depths(data: bytes) -> list[int]:
    """Bits per sample of the components; none where the header is cut."""
    start = data.find(_SIZE)
    if start < 0 or len(data) < start + 42:
        return []
    (count,) = struct.unpack_from(">H", data, start + 40)
    return [(depth & ~_SIGNED) + 1 for depth in data[start + 42 : start + 42 + 3 * count : 3]]


def _is_reversible(data: bytes) -> bool:
    """Whether the main header names the wavelet 5/3."""
    start = data.find(_SIZE)
    style = data.find(_STYLE, start, data.find(_TILE, start))
    return data[style + 13 : style + 14] == b"\1"
