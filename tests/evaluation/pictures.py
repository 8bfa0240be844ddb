"""Pictures made by whole-number arithmetic: the same pixels on every machine and with every library version."""

import numpy as np
from numpy.typing import NDArray

RGBPixels = NDArray[np.uint8]


def waves(height: int, width: int) -> RGBPixels:
    """Smooth in one corner, ever finer texture towards the other; every channel different. uint8 (H, W, 3)."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    channels = [(x * x // 211 + y * y // 157 + x * y // 173), (x * 3 // 2 + y * y // 97), (x * x // 301 + y * 2)]
    ramps = np.stack(channels, axis=2) % 510
    return np.where(ramps > 255, 510 - ramps, ramps).clip(0, 255).astype(np.uint8)


def posterized(pixels: RGBPixels, step: int) -> RGBPixels:
    """Only every `step`-th gray level left."""
    return (pixels // step * step + step // 2).clip(0, 255).astype(np.uint8)


def smeared(pixels: RGBPixels) -> RGBPixels:
    """Every pixel the mean of itself and its left neighbour."""
    return ((pixels.astype(np.int64) + np.roll(pixels, 1, axis=1)) // 2).astype(np.uint8)


def gray(height: int, width: int) -> RGBPixels:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def horizontal_ramp(height: int, width: int) -> RGBPixels:
    """0 at the left to 255 at the right."""
    row = (np.arange(width) * 255 // (width - 1)).astype(np.uint8)
    return np.repeat(np.repeat(row[None, :, None], height, axis=0), 3, axis=2)


def noise(height: int, width: int, seed: int) -> RGBPixels:
    """Bits 33 to 40 of Knuth's 64-bit linear congruential generator."""
    values = []
    for _ in range(height * width * 3):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append(seed >> 33 & 0xFF)
    return np.array(values, dtype=np.uint8).reshape(height, width, 3)
