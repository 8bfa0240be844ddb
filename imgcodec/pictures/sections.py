"""The sections of a .nic file besides its tokens: from a Picture, and back."""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.header import ColourMode
from imgcodec.bitstream.sections import PICTURE_SECTIONS, Section, pack_fields, unpack_fields
from imgcodec.pictures.exif import density as exif_density
from imgcodec.pictures.modes import Pixels
from imgcodec.pictures.picture import Picture

_LUMA = (0.299, 0.587, 0.114)


def colour_mode(picture: Picture) -> ColourMode:
    """The colour mode that the header of a .nic file states."""
    return ColourMode.GRAY if picture.gray else ColourMode.RGB


def strip(picture: Picture) -> Picture:
    """The picture without the metadata that are not needed to show it: EXIF, XMP and density."""
    left_out: dict[str, Any] = {row.field: None for row in PICTURE_SECTIONS.values() if not row.is_needed}
    return replace(picture, **left_out)


def picture_sections(picture: Picture) -> list[Section]:
    """The sections for all that a picture has besides pixels. Alpha is lossless."""
    return pack_fields(stored_fields(picture))


def stored_fields(picture: Picture) -> dict[str, Any]:
    """The fields of a picture that a file keeps: without empty ones, and without a density that its EXIF states."""
    fields = {row.field: getattr(picture, row.field) for row in PICTURE_SECTIONS.values()}
    if picture.density == exif_density(picture.exif):
        del fields["density"]
    return {name: value for name, value in fields.items() if value is not None and len(value)}


def keeps(file: Container, picture: Picture) -> bool:
    """Whether the sections of a file give back all fields of a picture. Raises InvalidFileError for what cannot be
    unpacked."""
    kept, wanted = unpack_fields(file.sections, file.header), stored_fields(picture)
    return kept.keys() == wanted.keys() and all(_same(kept[name], wanted[name]) for name in wanted)


def apply_sections(pixels: Pixels, file: Container, scale: int = 1) -> Picture:
    """The picture of a .nic file, from its decoded pixels (H, W, 3) and the sections of `picture_sections`.

    scale: how many times the file's size the pixels have. The pixels of a gray picture become equal. Raises
    InvalidFileError for sections that do not hold what they should.
    """
    header = file.header
    fields = unpack_fields(file.sections, header)
    gray = header.colour_mode.is_gray
    if gray:
        make_gray(pixels)
    if "alpha" in fields and scale > 1:
        size = header.width * scale, header.height * scale
        fields["alpha"] = np.asarray(Image.fromarray(fields["alpha"]).resize(size, Image.Resampling.BICUBIC))
    fields.setdefault("density", exif_density(fields.get("exif")))
    return Picture(pixels, gray=gray, **fields)


def make_gray(pixels: Pixels) -> None:
    """Makes the three channels of decoded pixels (H, W, 3) equal."""
    for row in pixels:  # row by row: floats take four times the memory
        row[:] = np.rint(row @ np.array(_LUMA, np.float32))[:, None]


def _same(kept: Any, wanted: Any) -> bool:
    return np.array_equal(kept, wanted) if isinstance(wanted, np.ndarray) else kept == wanted
