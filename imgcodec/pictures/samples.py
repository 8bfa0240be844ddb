"""The samples of a picture: as Pillow decodes them, or read again from the file where Pillow reduces them wrongly.

PNG of 16 bits ──────────► wide_png ───┐
TIFF of more than 8 bits ► wide_tiff ──┼──► pixels, alpha
all others ──────────────► modes ──────┘
                             ▲ JPEG 2000 of more than 8 bits by way of wide_jpeg2000, which gives white back
"""

from PIL import Image

from imgcodec.pictures import modes, wide_jpeg2000, wide_png, wide_tiff
from imgcodec.pictures.modes import Pixels

_ORIENTATION, _EXTRA_SAMPLES = 274, 338  # TIFF tags


def read(image: Image.Image, data: bytes, bits: int, wide: wide_tiff.Layout | None) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8; those of a TIFF are turned upright, as Pillow turns them.

    image: loaded, but for a `wide` TIFF; of any mode but CMYK and LAB. data: its file; empty where it is not known.
    bits: per sample of the original. Raises InvalidFileError for samples without a known range, and whatever Pillow
    raises for what is damaged.
    """
    if wide:
        pixels, alpha = wide_tiff.read(data, wide)
        turn = image.getexif().get(_ORIENTATION, 1)
        return modes.turned(pixels, turn), None if alpha is None else modes.turned(alpha, turn)
    if image.format == "PNG" and wide_png.is_reduced(data):
        return wide_png.read(data, image.info.get("transparency"))
    if wide_jpeg2000.has_wide_colours(image, data):
        image = wide_jpeg2000.corrected(image, data)
    return modes.to_arrays(image, bits)


def left_out(image: Image.Image, wide: wide_tiff.Layout | None) -> list[str]:
    """A note on channels of a TIFF that are neither colours nor alpha, if there are any."""
    extra = getattr(image, "tag_v2", {}).get(_EXTRA_SAMPLES, ())
    unspecified = len(extra) - any(kind != 0 for kind in extra) if isinstance(extra, tuple) else 0
    count = wide.left_out if wide else unspecified
    return [f"{count} of its channels are neither colours nor alpha and were left out"] if count else []
