"""Samples of 8 bits as a lossless WebP has them, for drawings: text, charts, screens (`docs/format.md`, section 9.2).

The data is a bitstream of VP8L (RFC 9649, section 3), without the file around it. Pillow brings the library.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.exact.plugins import load_plugin, save
from imgcodec.pillow_errors import PillowError, pillow_errors

LARGEST_SIDE = 2**14
_FRAME = 20  # bytes of a WebP file before the bitstream: RIFF, the file's length, WEBP, VP8L, the bitstream's length
_METHOD, _QUALITY = 4, 80  # as Pillow has them for lossless files


def encode(samples: NDArray[np.uint8]) -> bytes:
    """The data of samples (channels, H, W), sides up to LARGEST_SIDE: gray, gray and alpha, RGB, or RGB and alpha.
    Raises MemoryError."""
    channels = [*samples]
    colours, alpha = (channels[:1] * 3, channels[1:]) if len(channels) < 3 else (channels[:3], channels[3:])
    image = Image.fromarray(np.ascontiguousarray(np.stack([*colours, *alpha], axis=-1)))
    file = save(image, "WEBP", lossless=True, exact=True, method=_METHOD, quality=_QUALITY)
    size = int.from_bytes(file[_FRAME - 4 : _FRAME], "little")
    assert file[12:16] == b"VP8L", "a lossless WebP without metadata is one chunk"
    return file[_FRAME : _FRAME + size]


def decode(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The inverse of `encode`, of samples of a shape. Raises InvalidFileError for data that no encoder makes."""
    channels, height, width = shape
    bits = int.from_bytes(data[1:5], "little")
    has_alpha, of_width, of_height = bits >> 28 & 1, bits % 2**14 + 1, (bits >> 14) % 2**14 + 1
    if len(data) < 5 or data[0] != 0x2F or (of_width, of_height) != (width, height) or bits >> 29:
        raise InvalidFileError("The exact pixels are damaged: they are no VP8L of the size of their tile.")
    if has_alpha and channels % 2:
        raise InvalidFileError("The exact pixels are damaged: they have an alpha that there is no place for.")
    load_plugin("WEBP")
    padded = data + b"\0" * (len(data) % 2)
    frame = b"WEBPVP8L" + len(data).to_bytes(4, "little") + padded
    try:
        file = io.BytesIO(b"RIFF" + len(frame).to_bytes(4, "little") + frame)
        with pillow_errors(), Image.open(file, formats=["WEBP"]) as image:
            pixels = np.asarray(image.convert("RGBA"))
    except PillowError:
        raise InvalidFileError("The exact pixels are damaged: they cannot be decoded.") from None
    if pixels.shape[:2] != (height, width):
        raise InvalidFileError("The exact pixels are damaged: they are no VP8L of the size of their tile.")
    wanted = {1: [1], 2: [1, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    return np.ascontiguousarray(pixels[..., wanted].transpose(2, 0, 1))
