"""Colours by number (CICP, ITU-T H.273) as ICC profiles, so that a file that has nothing else keeps its colours.

A profile is made of the primaries, adapted to the white of ICC (D50) by the method of Bradford, and of a transfer
function as a parametric curve: ICC.1:2022, sections 7 to 10 and annex E. HDR transfer functions have none.
"""

import struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Code: TypeAlias = tuple[int, int]
"""Colour primaries and transfer characteristics, as H.273 numbers them."""

SRGB: Code = (1, 13)
UNSPECIFIED = 2
HDR = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of high dynamic range."""

_D50 = (0.9642, 1.0, 0.8249)
_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
# x and y of red, green, blue and white (H.273, table 2).
_PRIMARIES = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_BT709 = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 4.5 * 0.018)
# From samples to light (H.273, table 3), as ICC's parametric curve: g, a, b, c, d of type 3, or g alone.
_CURVES: dict[int, tuple[float, ...]] = {
    1: _BT709,
    4: (2.2,),
    5: (2.8,),
    6: _BT709,
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4.0, 4.0 * 0.0228),
    8: (1.0,),
    13: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    14: _BT709,
    15: _BT709,
    17: (2.6,),
}
_NAMES = {1: "BT.709", 5: "BT.470 B/G", 6: "BT.601", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile(code: Code, is_gray: bool = False) -> bytes | None:
    """The ICC profile (version 4.4, class display) of RGB or gray pixels in these colours; None where there is none.

    What is unspecified is taken as in sRGB.
    """
    primaries, transfer = (given if given != UNSPECIFIED else usual for given, usual in zip(code, SRGB, strict=True))
    if primaries not in _PRIMARIES or transfer not in _CURVES:
        return None
    curve = _parametric(_CURVES[transfer])
    red, green, blue, white = (_xyz(*place) for place in _PRIMARIES[primaries])
    adaptation = _adaptation(white)
    name = f"{_NAMES.get(primaries, 'RGB')} (CICP {primaries}, {transfer})"
    tags = {
        b"desc": _text(name),
        b"cprt": _text("CC0"),
        b"wtpt": _xyz_type(_D50),
        b"chad": b"sf32" + bytes(4) + b"".join(_fixed(value) for value in adaptation.ravel()),
    }
    if is_gray:
        tags[b"kTRC"] = curve
    else:
        columns = np.stack([red, green, blue], axis=1)
        columns = adaptation @ (columns * np.linalg.solve(columns, white))
        for letter, column in zip((b"r", b"g", b"b"), columns.T, strict=True):
            tags[letter + b"XYZ"] = _xyz_type(column)
            tags[letter + b"TRC"] = curve
    return _assembled(tags, b"GRAY" if is_gray else b"RGB ")


def is_srgb(code: Code) -> bool:
    """Whether these are the colours that pixels without a profile have."""
    return all(given in (usual, UNSPECIFIED) for given, usual in zip(code, SRGB, strict=True))


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (3, 3) from XYZ under a white to XYZ under D50."""
    cones = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    return np.linalg.solve(_BRADFORD, np.diag(cones) @ _BRADFORD)


def _fixed(value: float) -> bytes:
    """A number as s15Fixed16."""
    return struct.pack(">i", round(value * 65536))


def _xyz_type(values: NDArray[np.float64] | tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(value) for value in values)


def _parametric(numbers: tuple[float, ...]) -> bytes:
    kind = 3 if len(numbers) == 5 else 0
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(_fixed(number) for number in numbers)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """A profile of tags, each value once. It has a fixed date, so that the same colours make the same bytes."""
    offset = 128 + 4 + 12 * len(tags)
    table, values, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    for name, value in tags.items():
        if value not in places:
            places[value] = offset + len(values)
            values += value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", name, places[value], len(value))
    header = struct.pack(">I4sI4s4s4s", offset + len(values), bytes(4), 0x04400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += b"".join(_fixed(value) for value in _D50) + bytes(48)
    return header + table + values
