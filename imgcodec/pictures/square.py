"""Pictures as squares, whatever their sides: what networks of a fixed size look at. Knows no torch."""

import numpy as np
from PIL import Image

from imgcodec.pictures.modes import Pixels

GAP = 3.0  # times the size that a quick reduction leaves, before the filter


def as_square(pixels: Pixels, side: int) -> Pixels:
    """uint8 (H, W, 3) -> (side, side, 3), stretched where it is no square."""
    return resized(pixels, side, side)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """uint8 (H, W, 3) -> (height, width, 3), by a bicubic filter."""
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=GAP)
    return np.asarray(image)
