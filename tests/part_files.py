"""Files of the tiny model with any size and any grid of tiles, to take parts of."""

from dataclasses import replace

import numpy as np

from imgcodec.bitstream import container
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import picture_sections


def made_pixels(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Waves and noise, so that no two places look alike."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).normal(0, 15, (height, width, 3))
    waves = np.stack([x * 3 + y, y * 2, 128 + 90 * np.sin(x / 9 + y / 7)], 2) % 256
    return (waves + noise).clip(0, 255).astype(np.uint8)


def made_file(codec, width: int, height: int, tile_size: int, quality: float = 60, **besides: object) -> bytes:
    """besides: fields of the picture besides its pixels."""
    pixels = made_pixels(width, height)
    header = replace(codec.header((width, height), quality, None), tile_size=tile_size)
    _, sections = codec.encode(header, codec.analyse(pixels), pixels, 1)
    return container.write(header, [*sections, *picture_sections(Picture(pixels, **besides))])
