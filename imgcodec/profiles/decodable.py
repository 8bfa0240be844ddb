"""Whether this version decodes a file at all: what can be known without its tokens and before a model is looked for."""

from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container, Salvage
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import Header
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import PICTURE_SECTIONS
from imgcodec.profiles import PROFILES


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
    try:
        PROFILES[header.profile].layout.check(header)
    except UsageError as error:
        raise InvalidFileError(str(error)) from None
