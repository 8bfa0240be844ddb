"""The samples of a picture: as Pillow decodes them, or read again from the file where Pillow reduces them wrongly.

PNG of 16 bits ──────────► wide_png ───┐
TIFF of more than 8 bits ► wide_tiff ──┼──► pixels, alpha
all others ──────────────► modes ──────┘
                             ▲ JPEG 2000 of more than 8 bits by way of wide_jpeg2000, which gives white back
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgcodec.pictures import modes, wide_jpeg2000, wide_png, wide_tiff
from imgcodec.pictures.modes import Pixels

_ORIENTATION, _EXTRA_SAMPLES = 274, 338  # TIFF tags


Wide: TypeAlias = NDArray[np.uint16]


def read(
    image: Image.Image, data: bytes, bits: int, wide: wide_tiff.Layout | None
) -> tuple[Pixels, Pixels | None, Wide | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8; and all bits of the same (H, W, channels), gray or RGB and
    perhaps alpha, where they have more than 8 and these are known. Those of a TIFF are turned upright, as Pillow does.

    image: loaded, but for a `wide` TIFF; of any mode but CMYK and LAB. data: its file; empty where it is not known.
    bits: per sample of the original. Raises InvalidFileError for samples without a known range, and whatever Pillow
    raises for what is damaged.
    """
    if wide:
        pixels, alpha, deep = wide_tiff.read(data, wide)
        turn = image.getexif().get(_ORIENTATION, 1)
        upright = None if alpha is None else modes.turned(alpha, turn)
        return modes.turned(pixels, turn), upright, modes.turned(deep, turn) if wide.bits > 8 else None
    if image.format == "PNG" and wide_png.is_reduced(data):
        return wide_png.read(data, image.info.get("transparency"))
    if wide_jpeg2000.has_wide_colours(image, data):
        image = wide_jpeg2000.corrected(image, data)
    return *modes.to_arrays(image, bits), modes.wide_samples(image, bits)


def left_out(image: Image.Image, wide: wide_tiff.Layout | None) -> list[str]:
    """A note on channels of a TIFF that are neither colours nor alpha, if there are any."""
    extra = getattr(image, "tag_v2", {}).get(_EXTRA_SAMPLES, ())
    unspecified = len(extra) - any(kind != 0 for kind in extra) if isinstance(extra, tuple) else 0
    count = wide.left_out if wide else unspecified
    return [f"{count} of its channels are neither colours nor alpha and were left out"] if count else []
