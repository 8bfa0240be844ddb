"""PPM, PGM, PBM and PAM (Netpbm), which hold nothing besides pixels but comments.

QOI holds a byte that says whether samples are linear, which is informative alone, and which Pillow sets in every file.
"""

import re

from PIL import Image

from imgcodec.pictures.formats.findings import COMMENT, Findings

_NUMBERS = {**dict.fromkeys((b"P1", b"P4"), 2), **dict.fromkeys((b"P2", b"P3", b"P5", b"P6", b"Pf", b"PF"), 3)}
_ASCII = (b"P1", b"P2", b"P3")


def read(image: Image.Image, data: bytes) -> Findings:
    """What a PPM, PGM, PBM or PAM holds: comments in its header, and in pixels that are written as text."""
    kind = data[:2]
    if kind in _ASCII:
        head = data
    elif kind == b"P7":
        head = data[: data.find(b"ENDHDR") + 1]
    else:
        numbers = _NUMBERS.get(kind, 0)
        match = re.match(rb"P.(?:(?:\s|#[^\r\n]*[\r\n])+[^\s#]+){%d}" % numbers, data[:4096])
        head = match[0] if match else b""
    return Findings(lost=[COMMENT] if b"#" in head else [])
