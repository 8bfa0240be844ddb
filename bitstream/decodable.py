"""Whether this version decodes a file at all: what can be known without its tokens and before a model is looked for."""

from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container, Salvage
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import Header, Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits, rounded_area
from imgcodec.bitstream.sections import PICTURE_SECTIONS

LARGEST_TILE = 2**22
"""Pixels that a tile may have, its sides rounded up to WINDOW: what the prior takes in memory grows with it."""

GRID_TILE = 256
"""Pixels: the side of every tile of the profiles with one code a place."""

WINDOW = 256  # pixels: the side of the largest window that the prior of the `photo` profile looks around in

STAGES = {
    Profile.PHOTO: range(2, 3),
    Profile.TINY: range(1, 2),
    Profile.SNAC: range(1, 9),
    Profile.SVQVAE: range(1, 2),
    Profile.BSQ: range(1, 2),
    Profile.PIXELCNN: range(1, 2),
}
"""Token sections that a tile may have, for each profile that can be decoded."""


def read_decodable(data: bytes, max_pixels: int = DEFAULT_LIMITS.pixels) -> Container:
    """`container.read` and `check_decodable`: what every decoder begins with."""
    limits = Limits(pixels=max_pixels)
    file = container.read(data, limits)
    check_decodable(file, limits)
    return file


def salvage_decodable(data: bytes, max_pixels: int = DEFAULT_LIMITS.pixels) -> Salvage:
    """`container.salvage` and `check_header`: what begins the recovery of a file that is damaged or cut."""
    found = container.salvage(data, Limits(pixels=max_pixels))
    check_header(found.file.header)
    return found


def check_decodable(file: Container, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raises InvalidFileError where the profile is unknown, stages or tiles are not what it has, or alpha or metadata
    would unpack to another size than they may. Takes microseconds and allocates nothing."""
    check_header(file.header)
    for section in file.sections:
        if section.type in PICTURE_SECTIONS:
            PICTURE_SECTIONS[section.type].limit(section.data, file.header, limits)


def check_header(header: Header) -> None:
    """The part of `check_decodable` that the header decides."""
    stages = STAGES.get(header.profile)
    if stages is None:
        raise InvalidFileError(
            f"The file is of profile {header.profile.name.lower()}, which this version cannot decode."
        )
    if header.stage_count not in stages:
        most = f"{stages[0]} to {stages[-1]}" if len(stages) > 1 else stages[0]
        raise InvalidFileError(f"The file has {header.stage_count} stages, and those of its profile have {most}.")
    if header.profile != Profile.PHOTO and header.tile_size != GRID_TILE:
        raise InvalidFileError(
            f"The file has tiles of {header.tile_size} pixels, and those of its profile have {GRID_TILE}."
        )
    _, _, width, height = header.tile_rectangle(0)
    if rounded_area(width, height, WINDOW) > LARGEST_TILE:
        raise InvalidFileError(
            f"The file has tiles of {width} x {height} pixels, over the limit of {LARGEST_TILE} pixels."
        )
