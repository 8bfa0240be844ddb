"""BMP: the colour space of its fifth header: an ICC profile inside, one in another file, or primaries.

(Microsoft, BITMAPV5HEADER.)
"""

import struct

from PIL import Image

from imgcodec.pictures.formats.findings import Findings

_FILE_HEADER = 14
_V4, _V5 = 108, 124  # bytes of the headers
_CALIBRATED, _EMBEDDED, _LINKED = 0, 0x4D424544, 0x4C494E4B
# XYZ of the primaries of sRGB, and its gamma; writers round them in their own ways.
_SRGB = (0.64, 0.33, 0.03, 0.30, 0.60, 0.10, 0.15, 0.06, 0.79)
_GAMMA = 2.2


def read(image: Image.Image, data: bytes) -> Findings:
    """What a BMP holds. image: opened by Pillow. data: the bytes of the file, empty where they are not known."""
    found = Findings()
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
    return found


def _is_srgb(ends: list[float], gammas: list[float]) -> bool:
    """Whether primaries, as XYZ of any brightness, and gammas are those of sRGB."""
    for index in (0, 3, 6):
        total = sum(ends[index : index + 3]) or 1.0
        if any(
            abs(a / total - b) > 0.01 for a, b in zip(ends[index : index + 3], _SRGB[index : index + 3], strict=True)
        ):
            return False
    return all(gamma == 0 or abs(gamma - _GAMMA) < 0.05 for gamma in gammas)
