"""PPM, PGM and PBM (Netpbm), which hold comments besides pixels, and further pictures behind the first.

QOI holds a byte that says whether samples are linear, which is informative alone, and which Pillow sets in every file.
"""

import re

from PIL import Image

from imgcodec.pictures.formats.findings import COMMENT, Findings
from imgcodec.pictures.formats.jpeg import behind
from imgcodec.pictures.xmp import PICTURES

_NUMBERS = {**dict.fromkeys((b"P1", b"P4"), 2), **dict.fromkeys((b"P2", b"P3", b"P5", b"P6", b"Pf", b"PF"), 3)}
_ASCII = (b"P1", b"P2", b"P3")
_CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3}
_COMMENT = re.compile(rb"#[^\r\n]*")
_NEXT = re.compile(rb"\s*P[1-7]\s")
_QOI_END = bytes(7) + b"\1"


def read(image: Image.Image, data: bytes) -> Findings:
    """What a PPM, PGM or PBM holds: comments in its header, and in pixels that are written as text; and what is
    behind its pixels."""
    kind = data[:2]
    numbers = _NUMBERS.get(kind, 0)
    match = re.match(rb"P.(?:(?:\s|#[^\r\n]*[\r\n])+[^\s#]+){%d}" % numbers, data[:4096])
    start = match.end() if match else 0
    found = Findings(lost=[COMMENT] if b"#" in (data if kind in _ASCII else data[:start]) else [])
    if start and (end := _end(kind, data, start)) is not None:
        rest = data[end:]
        found.lose(*([PICTURES] if _NEXT.match(rest) else behind(rest)))
    return found


def read_qoi(image: Image.Image, data: bytes) -> Findings:
    """What is behind the end of a QOI."""
    end = data.rfind(_QOI_END)
    return Findings(lost=behind(data[end + len(_QOI_END) :]) if end >= 0 else [])


def _end(kind: bytes, data: bytes, start: int) -> int | None:
    """The place behind the pixels. start: behind the last number of the header. None where it cannot be told."""
    words = _COMMENT.sub(b" ", data[2:start]).split()
    if not all(word.isdigit() and len(word) < 10 for word in words) or kind not in _CHANNELS:  # floating point
        return None
    width, height, maximum = (int(word) for word in [*words, b"1"][:3])
    channels = _CHANNELS[kind]
    if kind in _ASCII:
        return _end_of_text(kind, data, start, width * height * channels)
    if not data[start : start + 1].isspace():
        return None
    row = (width + 7) // 8 if kind == b"P4" else width * channels * (2 if maximum > 255 else 1)
    return start + 1 + row * height


def _end_of_text(kind: bytes, data: bytes, start: int, samples: int) -> int | None:
    """The place behind so many numbers that are written as text, or single digits in a PBM."""
    number = rb"#[^\r\n]*|([01])" if kind == b"P1" else rb"#[^\r\n]*|(\d+)"
    for match in re.compile(number).finditer(data, start):
        samples -= match[1] is not None
        if not samples:
            return match.end()
    return None
