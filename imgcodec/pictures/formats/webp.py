"""WebP: chunks that its header does not announce, those that nobody knows, and what lies behind the file.

(RFC 9649.)
"""

from PIL import Image

from imgcodec.pictures import chunks
from imgcodec.pictures.formats.findings import Findings, unknown
from imgcodec.pictures.formats.jpeg import behind

_LAYOUT = {"RIFF", "VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF", chunks.TRAILER}


def read(image: Image.Image, data: bytes) -> Findings:
    """What a WebP holds. image: opened by Pillow. data: the bytes of the file, empty where they are not known."""
    parts = chunks.parts(data)
    bodies = {name: part[8 : 8 + int.from_bytes(part[4:8], "little")] for name, part in parts}
    found = Findings(icc=bodies.get("ICCP"), exif=bodies.get("EXIF"), xmp=bodies.get("XMP "))
    found.lose(*unknown("chunk", (name for name in bodies if name not in {*_LAYOUT, "ICCP", "EXIF", "XMP "})))
    found.lose(*(name for kind, part in parts if kind == chunks.TRAILER for name in behind(part)))
    return found
