"""How many bits a sample of an image file has: Pillow reduces some of them to 8 without a word."""

import re

from PIL import Image

_PNM_HEAD = re.compile(rb"P[56](?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+(\d+)\s")
_BITS_PER_SAMPLE = 258  # TIFF tag


def bits(image: Image.Image, data: bytes) -> int:
    """Bits a sample, at least 8, from the file's own header where `data` (its bytes, or none) has one that tells."""
    if image.mode.startswith("I"):
        return 16
    try:
        return max(8, _stated(image, data))
    except (IndexError, TypeError, ValueError):
        return 8


def _stated(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        value = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 8)
        return max(value) if isinstance(value, tuple) else int(value)
    if image.format == "PPM" and (head := _PNM_HEAD.match(data)):
        return int(head[1]).bit_length()
    if image.format == "JPEG2000" and (start := data.find(b"\xff\x4f\xff\x51")) >= 0:
        return (data[start + 42] & 0x7F) + 1
    if image.format == "AVIF" and (start := data.find(b"pixi")) >= 0:
        return max(data[start + 9 : start + 9 + data[start + 8]])
    return 8
