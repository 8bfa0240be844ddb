"""The sections of a file that have exact blocks of its picture."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.header import Header
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.exact.blocks import SIDE, Blocks, read, write


def block_sections(header: Header, pixels: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> list[Section]:
    """The sections of the chosen blocks of pixels (H, W, 3)."""
    channels, sections = 1 if header.colour_mode.is_gray else 3, []
    for tile in range(header.tile_count):
        left, top, width, height = header.tile_rectangle(tile)
        rows, columns = slice(top // SIDE, -(-(top + height) // SIDE)), slice(left // SIDE, -(-(left + width) // SIDE))
        if chosen[rows, columns].any():
            samples = pixels[top : top + height, left : left + width, :channels]
            sections.append(Section(SectionType.EXACT, 0, tile, write(samples, chosen[rows, columns])))
    return sections


def blocks_of(file: Container) -> Iterator[Blocks]:
    """The exact blocks of a file, tile by tile. Raises InvalidFileError for what no encoder makes."""
    channels = 1 if file.header.colour_mode.is_gray else 3
    for section in file.sections:
        if section.type == SectionType.EXACT:
            yield read(section.data, file.header.tile_rectangle(section.tile), channels)
