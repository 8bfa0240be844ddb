"""The samples of a picture: as Pillow decodes them, or read again from the file where Pillow reduces them wrongly.

      PNG of 16 bits ─────────► png ───┐
      TIFF of more than 8 bits ─► tiff ──┼──► pixels, alpha
      all others ───────────────► modes ─┘
        after jpeg2000, which gives wide colours their white back
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
    if jpeg2000.has_wide_colours(image, data):
        image = jpeg2000.corrected(image, data)
    return modes.to_arrays(image, bits)


def left_out(image: Image.Image, wide: tiff.Layout | None) -> list[str]:
    """A note on channels of a TIFF that are neither colours nor alpha, if there are any."""
    extra = getattr(image, "tag_v2", {}).get(_EXTRA_SAMPLES, ())
    count = wide.left_out if wide else max(0, len(extra) - any(kind != 0 for kind in extra))
    return [f"{count} of its channels are neither colours nor alpha and were left out"] if count else []


_EXTRA_SAMPLES = 338  # TIFF tag
