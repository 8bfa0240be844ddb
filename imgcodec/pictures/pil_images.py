"""A Picture from a PIL image, and back.

PIL image ──► modes to RGB ──► turned upright ──► Picture ──► PIL image
              │                                   pixels, alpha, ICC, EXIF, XMP, density,
              └ what Pillow does not decode,      and notes on what was lost
                from the bytes of the file
"""

import numpy as np
from PIL import Image

from imgcodec.pictures import ends, exif, icc, metadata, modes, pil_info, samples, wide_tiff
from imgcodec.pictures.picture import Picture, reduced


def from_image(image: Image.Image, data: bytes, wide: wide_tiff.Layout | None) -> Picture:
    """A Picture from a PIL image. data: the bytes of its file; empty where they are not known. wide: how the samples
    lie in it, where Pillow is not to decode them."""
    notes: list[str] = []
    if getattr(image, "is_animated", False) and image.format not in ("JPEG", "MPO"):
        notes.append(f"only the first of its {'pictures' if image.format == 'TIFF' else 'frames'} is kept")
    bits = wide.bits if wide else modes.bit_depth(image, data)
    gray = wide.gray if wide else modes.is_gray(image)
    if not wide:
        image.load()
    if end_note := ends.note(data):
        notes.append(end_note)
    image, info_notes = pil_info.checked(image)
    if not wide and modes.has_no_range(image):
        bits, note = modes.guessed_depth(image)
        notes.append(note)
    if bits > 8:
        notes.append(reduced(bits))
    notes += info_notes

    found = metadata.read(image, data, gray)
    notes += [note for note in found.notes if note not in notes]
    if found.icc and icc.space(found.icc) == "GRAY" and not gray:  # 16-bit gray with alpha that Pillow has made RGBA
        gray = modes.is_gray_as_rgb(image)
    notes += samples.left_out(image, wide)
    if not wide and image.mode in ("CMYK", "LAB"):
        image, note = modes.to_srgb(image, found.icc)
        found.icc = None
        notes.append(note)
    elif found.icc and icc.space(found.icc) == "RGB" and gray and image.format == "GIF":
        gray = False  # Pillow takes a palette of grays for gray, and the profile is of the palette
    elif found.icc and icc.space(found.icc) != ("GRAY" if gray else "RGB"):
        found.icc = None
        notes.append("its ICC profile is of another colour space and was left out")

    pixels, alpha, deep = samples.read(image, data, bits, wide)
    if found.crop:
        left, top, right, bottom = found.crop
        pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
        alpha = None if alpha is None else np.ascontiguousarray(alpha[top:bottom, left:right])
        deep = None if deep is None else deep[top:bottom, left:right]
    if found.turn != exif.UPRIGHT and not found.is_turned:
        pixels = modes.turned(pixels, found.turn)
        alpha = None if alpha is None else modes.turned(alpha, found.turn)
        deep = None if deep is None else modes.turned(deep, found.turn)
    metadata.upright(found, (pixels.shape[1], pixels.shape[0]))
    notes += metadata.limit(found)
    if deep is not None and deep.shape[2] != (1 if gray else 3) + (alpha is not None):
        deep = None  # gray as RGB, or the other way round
    return Picture(pixels, alpha, found.icc, found.exif, found.xmp, gray, found.density, bits, notes, wide=deep)


def to_pil(picture: Picture) -> Image.Image:
    """A PIL image, RGB or L, with alpha where there is any, its metadata in `info`."""
    colours = picture.pixels[..., 0] if picture.gray else picture.pixels
    image = Image.fromarray(np.ascontiguousarray(colours))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(picture.alpha)))
    image.info.update(pil_info.made(picture.icc, picture.exif, picture.xmp, picture.density))
    return image
