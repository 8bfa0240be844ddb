"""The samples of exact files: from a Picture, and back."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.header import ColourMode
from imgcodec.pictures.modes import narrowed
from imgcodec.pictures.picture import Picture

Samples: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""(channels, H, W): gray or RGB, then perhaps alpha."""


def colour_mode_with_alpha(picture: Picture) -> ColourMode:
    """The colour mode of the file that has alpha as a channel."""
    modes = (ColourMode.GRAY, ColourMode.GRAY_ALPHA) if picture.gray else (ColourMode.RGB, ColourMode.RGB_ALPHA)
    return modes[picture.alpha is not None]


def samples_of(picture: Picture) -> Samples:
    """All samples of a picture: of 8 bits, or as many as the original had, where that is more and they are known."""
    if picture.wide is not None:
        return np.ascontiguousarray(picture.wide.transpose(2, 0, 1))
    colours = picture.pixels[..., :1] if picture.gray else picture.pixels
    channels: list[Any] = [*colours.transpose(2, 0, 1)]
    if picture.alpha is not None:
        channels.append(picture.alpha)
    return np.stack(channels)


def sample_depth(picture: Picture) -> int:
    """Bits per sample that the header of an exact file states: of the original, unless only 8 of more are known."""
    return picture.bit_depth if picture.wide is not None else min(8, picture.bit_depth)


def put_samples(picture: Picture, samples: Samples, bit_depth: int) -> None:
    """Gives a picture, which has its colours, what only the samples (channels, H, W) of its file have: alpha, and more
    than 8 bits."""
    if len(samples) % 2 == 0:
        picture.alpha = np.ascontiguousarray(narrowed(samples[-1], bit_depth))
    picture.bit_depth = bit_depth
    if bit_depth > 8:
        picture.wide = np.ascontiguousarray(samples.transpose(1, 2, 0)).astype(np.uint16, copy=False)
