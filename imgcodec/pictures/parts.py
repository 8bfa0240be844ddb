"""Pictures of parts of .nic files: a region, or the whole at a smaller size."""

from dataclasses import replace

import numpy as np
from PIL import Image

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.header import Rectangle
from imgcodec.bitstream.payload import unpack_alpha_region, unpack_reduced_alpha
from imgcodec.bitstream.sections import SectionType
from imgcodec.pictures import exif
from imgcodec.pictures.modes import Pixels
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import apply_sections


def picture_of_region(pixels: Pixels, file: Container, region: Rectangle) -> Picture:
    """As `apply_sections`, of the pixels (h, w, 3) of a region. EXIF states its size, and has no thumbnail, which would
    show what was cut off; unless the region is the whole picture. Raises InvalidFileError as `apply_sections`."""
    header = file.header
    alpha, picture = _without_alpha(pixels, file)
    if alpha is not None:
        picture.alpha = unpack_alpha_region(alpha, header.width, header.height, region)
    if picture.exif and (region.width, region.height) != (header.width, header.height):
        picture.exif = exif.resized(picture.exif, (region.width, region.height), are_axes_exchanged=False)
    return picture


def reduced_picture(pixels: Pixels, file: Container, reduction: int) -> Picture:
    """As `apply_sections`, of pixels (h, w, 3) that are `reduction` times fewer a side. Raises InvalidFileError as
    `apply_sections`."""
    alpha, picture = _without_alpha(pixels, file)
    if alpha is not None:
        picture.alpha = unpack_reduced_alpha(alpha, file.header.width, file.header.height, reduction)
    return picture


def resized(picture: Picture, size: tuple[int, int], covered: tuple[float, float]) -> Picture:
    """A picture of another size (width, height), with its profile and alpha and nothing else.

    covered: width and height of what is shown, in pixels of `picture`: the last ones may be needed in part only.
    Colours count as much as they are opaque.
    """
    width, height = picture.width, picture.height
    if size == (width, height) and covered == (float(width), float(height)):
        colours, alpha = picture.pixels, picture.alpha
    else:
        samples = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
        image = Image.fromarray(samples).resize(size, Image.Resampling.BICUBIC, box=(0, 0, *covered))
        found = np.asarray(image)
        colours, alpha = found[..., :3], None if picture.alpha is None else found[..., 3]
    return Picture(colours, alpha, picture.icc, gray=picture.gray, bit_depth=picture.bit_depth)


def _without_alpha(pixels: Pixels, file: Container) -> tuple[bytes | None, Picture]:
    """The data of the alpha section, if there is one, and the picture without it."""
    alpha = next((section.data for section in file.sections if section.type == SectionType.ALPHA), None)
    others = tuple(section for section in file.sections if section.type != SectionType.ALPHA)
    return alpha, apply_sections(pixels, replace(file, sections=others))
