"""The samples of a picture, from the reader that has them all: Pillow, or one of ours where Pillow reduces them wrongly.

      wide PNG ──► png ─────────┐
      wide JPEG 2000 ──► jpeg2000 ─┤
      wide TIFF ──► tiff ───────┼──► pixels, alpha
      all others ──► modes ─────┘
"""

from PIL import Image

from imgcodec.pictures import jpeg2000, modes, png, tiff
from imgcodec.pictures.modes import Pixels


def read(
    image: Image.Image, data: bytes, bits: int, wide: tiff.Layout | None
) -> tuple[Pixels, Pixels | None]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8.

    image: loaded, but for a `wide` TIFF; of any mode but CMYK and LAB. data: its file; empty where it is not known.
    bits: per sample of the original. Raises InvalidFileError for samples without a known range, and whatever Pillow
    raises for what is damaged.
    """
    if wide:
        return tiff.read(data, wide)
    if image.format == "PNG" and png.is_reduced(data):
        return png.read(data, image.info.get("transparency"))
    if image.format == "JPEG2000" and (found := jpeg2000.layout(data)):
        return jpeg2000.read(data, found)
    return modes.to_arrays(image, bits)


def left_out(image: Image.Image, wide: tiff.Layout | None) -> list[str]:
    """A note on channels of a TIFF that are neither colours nor alpha, if there are any."""
    extra = getattr(image, "tag_v2", {}).get(_EXTRA_SAMPLES, ())
    count = wide.left_out if wide else max(0, len(extra) - any(kind != 0 for kind in extra))
    return [f"{count} of its channels are neither colours nor alpha and were left out"] if count else []


_EXTRA_SAMPLES = 338  # TIFF tag
