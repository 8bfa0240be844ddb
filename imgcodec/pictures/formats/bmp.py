"""BMP: the colour space of its fifth header (an ICC profile inside, one in another file, or primaries), and its end.

(Microsoft, BITMAPV5HEADER.)
"""

import struct

from PIL import Image

from imgcodec.pictures.formats.findings import Findings
from imgcodec.pictures.formats.jpeg import behind

_FILE_HEADER = 14
_CORE, _INFO, _V3_ALPHA, _V4, _V5 = 12, 40, 56, 108, 124  # bytes of the headers
_MASKS = 3  # say which bits of a pixel are which colour
_RUN_LENGTHS = (1, 2)  # packed, so that only the header says how long
_CALIBRATED, _EMBEDDED, _LINKED = 0, 0x4D424544, 0x4C494E4B
# XYZ of the primaries of sRGB, and its gamma; writers round them in their own ways.
_SRGB = (0.64, 0.33, 0.03, 0.30, 0.60, 0.10, 0.15, 0.06, 0.79)
_GAMMA = 2.2


def read(image: Image.Image, data: bytes) -> Findings:
    """What a BMP holds. image: opened by Pillow. data: the bytes of the file, empty where they are not known."""
    found = Findings(lost=behind(_behind(data)))
    if len(data) < _FILE_HEADER + _V4:
        return found
    (size, space) = (struct.unpack_from("<I", data, _FILE_HEADER + place)[0] for place in (0, 56))
    if size == _V5 and space in (_EMBEDDED, _LINKED):
        start, length = struct.unpack_from("<II", data, _FILE_HEADER + 112)
        if space == _LINKED:
            found.notes.append("its ICC profile is in another file, which it names, and was left out")
        else:
            found.icc = data[_FILE_HEADER + start : _FILE_HEADER + start + length] or bytes(1)
    elif size in (_V4, _V5) and space == _CALIBRATED:
        ends = [value / 2**30 for value in struct.unpack_from("<9I", data, _FILE_HEADER + 60)]
        gammas = [value / 2**16 for value in struct.unpack_from("<3I", data, _FILE_HEADER + 96)]
        found.are_colours_others = any(ends) and not _is_srgb(ends, gammas)
    bits, packing = struct.unpack_from("<HI", data, _FILE_HEADER + 14)
    (opacity,) = struct.unpack_from("<I", data, _FILE_HEADER + 52)
    if size >= _V3_ALPHA and (bits, packing) == (16, _MASKS) and opacity:  # which Pillow passes over
        found.lose("alpha channel")
    return found


def _behind(data: bytes) -> bytes:
    """What is behind the pixels and is no profile; empty where the end of the pixels cannot be told."""
    try:
        (place, size) = struct.unpack_from("<II", data, 10)
        form = "<HHHH" if size == _CORE else "<iiHH"
        width, height, _, bits = struct.unpack_from(form, data, _FILE_HEADER + 4)
        packing, pixel_bytes = struct.unpack_from("<II", data, _FILE_HEADER + 16) if size >= _INFO else (0, 0)
        start, length = struct.unpack_from("<II", data, _FILE_HEADER + 112) if size == _V5 else (0, 0)
    except struct.error:
        return b""
    if packing not in _RUN_LENGTHS:
        pixel_bytes = (abs(width) * bits + 31) // 32 * 4 * abs(height)
    elif not pixel_bytes:
        return b""
    end = place + pixel_bytes
    profile = _FILE_HEADER + start
    if length and profile >= end:
        return data[end:profile] + data[profile + length :]
    return data[end:]


def _is_srgb(ends: list[float], gammas: list[float]) -> bool:
    """Whether primaries, as XYZ of any brightness, and gammas are those of sRGB."""
    for index in (0, 3, 6):
        total = sum(ends[index : index + 3]) or 1.0
        if any(
            abs(a / total - b) > 0.01 for a, b in zip(ends[index : index + 3], _SRGB[index : index + 3], strict=True)
        ):
            return False
    return all(gamma == 0 or abs(gamma - _GAMMA) < 0.05 for gamma in gammas)
