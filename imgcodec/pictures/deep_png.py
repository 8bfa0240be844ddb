"""PNG files with samples of 16 bits, which Pillow writes of gray alone: the pixels of a file of 8 bits are replaced."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from imgcodec.pictures import chunks

_UP = 2  # the filter: each byte less the one above
_LEVEL = 6  # of zlib


def deepened(file: bytes, wide: NDArray[np.uint16], bits: int) -> bytes:
    """A PNG with other pixels: those of `wide` (H, W, channels), 0 to 2^bits - 1, as 16 bits. file: a whole PNG of this
    size and these channels with 8 bits, whose other chunks stay."""
    most = 2**bits - 1
    samples = (wide.astype(np.uint32) * 65535 + most // 2) // most
    rows = samples.astype(">u2").reshape(len(wide), -1).view(np.uint8)
    filtered = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    lines = np.concatenate([np.full((len(rows), 1), _UP, np.uint8), filtered], axis=1)
    pixels = _chunk(b"IDAT", zlib.compress(lines.tobytes(), _LEVEL))
    found, is_written = [], False
    for name, part in chunks.parts(file):
        if name == "IHDR":
            part = _chunk(b"IHDR", part[8:16] + b"\x10" + part[17:21])
        elif name == "IDAT":
            part, is_written = (b"" if is_written else pixels), True
        found.append(part)
    return b"".join(found)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
