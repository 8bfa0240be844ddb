"""WebP: chunks that its header does not announce, those that nobody knows, and what lies behind the file.

(RFC 9649.)
"""

from PIL import Image

from imgcodec.pictures import chunks
from imgcodec.pictures.formats.findings import Findings, unknown
from imgcodec.pictures.formats.jpeg import behind

_KEPT = {"ICCP": "icc", "EXIF": "exif", "XMP ": "xmp"}
_LAYOUT = {"RIFF", "VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF", chunks.TRAILER}


def read(image: Image.Image, data: bytes) -> Findings:
    """What a WebP holds. image: opened by Pillow. data: the bytes of the file, empty where they are not known."""
    parts = chunks.parts(data)
    found = Findings()
    for name, part in parts:
        if name in _KEPT:
            found.keep(_KEPT[name], part[8 : 8 + int.from_bytes(part[4:8], "little")])
    found.lose(*unknown("chunk", (name for name, _ in parts if name not in {*_LAYOUT, *_KEPT})))
    found.lose(*(name for kind, part in parts if kind == chunks.TRAILER for name in behind(part)))
    return found
