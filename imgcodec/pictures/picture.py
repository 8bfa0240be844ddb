"""A picture: its pixels, and what a file holds of it besides them."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from imgcodec.pictures.exif import Density
from imgcodec.pictures.modes import Pixels


@dataclass
class Picture:
    """A picture, upright.

    pixels: uint8 (H, W, 3); the three channels are equal where the original is gray.
    alpha: uint8 (H, W), 0 transparent to 255 opaque, or None. Pixels are not multiplied by it.
    icc: the profile of the pixels, or None for sRGB. exif: from its byte order mark on. xmp: the packet.
    gray: the original has one colour channel, and so has the picture when it is written.
    density: pixels per metre, across and down.
    bit_depth: bits per sample of the original, 1 to 16; `pixels` have 8.
    notes: losses on the way here, each a clause about "it", for people.
    file_bytes: size of the file that it was read from.
    wide: uint16 (H, W, channels) gray or RGB and perhaps alpha, of bit_depth bits, where the original has more than 8.
    features: what it shows, as a vector, and the id of the model that made it (`docs/format.md`, section 8.3).
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    gray: bool = False
    density: Density | None = None
    bit_depth: int = 8
    notes: list[str] = field(default_factory=list)
    file_bytes: int | None = None
    wide: NDArray[np.uint16] | None = None
    features: bytes | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


def kept_exactly(picture: Picture) -> Picture:
    """The picture without the note that its samples are reduced to 8 bits, where all of their bits are known."""
    if picture.wide is None:
        return picture
    return replace(picture, notes=[note for note in picture.notes if note != reduced(picture.bit_depth)])


def reduced(bits: int) -> str:
    """The note on samples of more than 8 bits."""
    return f"its {bits} bits per sample are reduced to 8"
