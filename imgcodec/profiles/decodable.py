"""Whether this version decodes a file at all: what can be known without its tokens and before a model is looked for."""

from collections.abc import Callable

from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container
from imgcodec.bitstream.cursor import Cursor, Slices
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.frames import Entry
from imgcodec.bitstream.header import Header, Rectangle, read_header
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.salvage import Salvage, salvage
from imgcodec.bitstream.sections import PICTURE_SECTIONS
from imgcodec.profiles import PROFILES


def read_decodable(data: bytes, max_pixels: int = DEFAULT_LIMITS.pixels) -> Container:
    """`container.read` and `check_decodable`: what every decoder begins with."""
    limits = Limits(pixels=max_pixels)
    file = container.read(data, limits)
    check_decodable(file, limits)
    return file


def salvage_decodable(data: bytes, max_pixels: int = DEFAULT_LIMITS.pixels) -> Salvage:
    """`salvage` and `check_header`: what begins the recovery of a file that is damaged or cut."""
    found = salvage(data, Limits(pixels=max_pixels))
    check_header(found.file.header)
    return found


def read_part(data: Slices, wanted: Callable[[Entry], bool], max_pixels: int = DEFAULT_LIMITS.pixels) -> Container:
    """`container.read_part` and `check_decodable`."""
    limits = Limits(pixels=max_pixels)
    file = container.read_part(data, wanted, limits)
    check_decodable(file, limits)
    return file


def header_of(data: Slices) -> Header:
    """The header of a file, of which nothing else is read; the limit on pixels is not applied. Raises
    InvalidFileError."""
    header = read_header(Cursor(data))
    check_header(header)
    return header


def region_of(header: Header, x: int, y: int, width: int, height: int) -> Rectangle:
    """A region of a file's picture. Raises UsageError for one that is empty or not inside the picture, and for a file
    that is only decoded as a whole."""
    if width < 1 or height < 1:
        raise UsageError(f"The region {x},{y},{width},{height} is empty.")
    if min(x, y) < 0 or x + width > header.width or y + height > header.height:
        raise UsageError(
            f"The region {x},{y},{width},{height} is not inside the picture of {header.width} x {header.height} pixels."
        )
    if not PROFILES[header.profile].has_regions:
        raise UsageError(
            f"A file of the profile {header.profile.name.lower()} is decoded as a whole: it has no regions."
        )
    return Rectangle(x, y, width, height)


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
