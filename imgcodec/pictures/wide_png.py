"""Samples of PNG files with 16 bits, of which Pillow keeps the upper 8: all of them, rounded, and colour keys in full.

A file is decoded twice, as if its samples were of one byte order and then of the other: once Pillow keeps the upper
bytes, once the lower ones. Gray with alpha, four bytes a pixel, comes whole as RGBA of 8 bits.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgcodec.pictures import chunks
from imgcodec.pictures.modes import Pixels, to_bytes

_MODES = {2: ("RGB;16B", "RGB;16L"), 4: ("RGBA",), 6: ("RGBA;16B", "RGBA;16L")}  # by colour type
_GRAY_WITH_ALPHA = 4
_BLOCK = 2**18  # pixels that are worked on at a time


def is_reduced(data: bytes) -> bool:
    """Whether a file is a PNG of which Pillow keeps 8 of 16 bits."""
    return data.startswith(b"\x89PNG") and len(data) > 25 and data[24] == 16 and data[25] in _MODES


def read(data: bytes, key: object) -> tuple[Pixels, Pixels | None, NDArray[np.uint16]]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8, of a file that `is_reduced`; and its samples (H, W,
    channels), gray or RGB, and alpha where there is one. key: the colour that is transparent, three numbers of 16 bits,
    or anything else for none."""
    passes = [_decoded(data, mode) for mode in _MODES[data[25]]]
    height, width = passes[0].shape[:2]
    pixels, alpha = np.empty((height, width, 3), np.uint8), None
    if data[25] != 2 or isinstance(key, tuple):
        alpha = np.full((height, width), 255, np.uint8)
    wide = np.empty((height, width, (1 if data[25] == _GRAY_WITH_ALPHA else 3) + (alpha is not None)), np.uint16)
    step = max(1, _BLOCK // width)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        if data[25] == _GRAY_WITH_ALPHA:
            upper, lower = passes[0][rows, :, ::2], passes[0][rows, :, 1::2]
        else:
            upper, lower = passes[0][rows], passes[1][rows]
        samples = upper.astype(np.uint32) * np.uint32(256) + lower
        reduced = to_bytes(samples, 65535)
        wide[rows, :, : samples.shape[2]] = samples
        pixels[rows] = reduced[..., :1] if data[25] == _GRAY_WITH_ALPHA else reduced[..., :3]
        if alpha is not None:
            alpha[rows] = reduced[..., -1] if data[25] != 2 else np.where((samples == key).all(axis=2), 0, 255)
            if data[25] == 2:
                wide[rows, :, 3] = alpha[rows] * np.uint16(257)
    return pixels, alpha, wide


def _decoded(data: bytes, raw_mode: str) -> NDArray[np.uint8]:
    parts = chunks.parts(data)
    data = chunks.without(parts, {name for name, _ in parts if name[:1].islower()}) if parts else data  # pixels only
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.tile = [part._replace(args=raw_mode) for part in image.tile]
        return np.asarray(image)
