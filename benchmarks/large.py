"""A large photograph for measurements, of the pictures of a folder side by side: it has the detail of real ones."""

import math
from pathlib import Path

import numpy as np

from imgcodec.metrics.reference import RGBPixels
from imgcodec.pictures import io as image

ASPECT = 4 / 3


def photograph(files: list[Path], megapixels: float) -> RGBPixels:
    """A picture of so many megapixels (rounded down to whole rows) made of the pictures in `files`, side by side."""
    height = int(math.sqrt(megapixels * 1e6 / ASPECT))
    width = int(height * ASPECT)
    canvas = np.empty((height, width, 3), np.uint8)
    pictures = (image.load(files[number % len(files)]).pixels for number in range(1_000_000))
    top = 0
    while top < height:
        left, row_height = 0, height
        while left < width:
            pixels = next(pictures)[: height - top, : width - left]
            row_height = min(row_height, pixels.shape[0])
            canvas[top : top + row_height, left : left + pixels.shape[1]] = pixels[:row_height]
            left += pixels.shape[1]
        top += row_height
    return canvas
