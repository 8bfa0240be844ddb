"""The header: what a file says about its picture before any token.

    signature 8 | version 1 | width, height varint | colour, depth 1 | profile, tune 1 | quality 2 | tile 1 | stages 1
    | codebook id 8 | CRC-32C 4

which is 31 bytes for an ordinary photograph. `docs/format.md` is the specification; this is its implementation.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeVar

import google_crc32c

from imgcodec.bitstream.cursor import VARINT_MAX, Cursor, varint
from imgcodec.bitstream.errors import InvalidFileError, UsageError

# As PNG's: a byte that no text has first, the name, and line endings that a transfer as text would change.
SIGNATURE = b"\x8fNIC\r\n\x1a\n"
VERSIONS = (1, 2)  # that are read and written
MAX_CALLS = 63  # of a tile, in version 2: what the first byte of a section can say, see `token_sections.py`

QUALITY_UNIT = 256
QUALITY_MAX = 100 * QUALITY_UNIT
TILE_UNIT = 64
CODEBOOK_ID_BYTES = 8
CRC_BYTES = 4

Number = TypeVar("Number", bound=IntEnum)


PHOTO_STAGES = 2  # which a header of version 2 does not say


class Profile(IntEnum):
    """How tokens are laid out in a file, a number of 4 bits; the codebook id says whose they are. 8 is reserved (see
    `docs/format.md`)."""

    PHOTO = 1
    SEMANTIC = 3
    RASTER = 4
    EXACT = 9


# The first files had a number for each pair of a tokenizer and a prior, whose tokens were all laid out alike. These
# numbers are retired: they are read for ever, and never written or given away again.
RETIRED_PROFILES = dict.fromkeys((2, 5, 6, 7), Profile.RASTER)
RETIRED_NAMES = dict.fromkeys(("tiny", "snac", "svqvae", "bsq", "pixelcnn"), Profile.RASTER)


def profile_named(name: str) -> Profile:
    """The profile that a model file, a recipe or a shard of tokens names, perhaps by a retired name. Raises ValueError
    for any other name."""
    known = RETIRED_NAMES | {profile.name.lower(): profile for profile in Profile}
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"its profile {name!r:.40} is not known")
    return known[name]


class Tune(IntEnum):
    """The distortion that the encoder minimised: squared error, or what the eye sees."""

    PSNR = 0
    VISUAL = 1


class ColourMode(IntEnum):
    """The colour mode of the original picture and of the decoded one. Alpha is a section, not a mode, but in files of
    the profile `exact`, where it is one of the channels."""

    GRAY = 0
    RGB = 1
    GRAY_ALPHA = 2
    RGB_ALPHA = 3

    @property
    def is_gray(self) -> bool:
        return self in (ColourMode.GRAY, ColourMode.GRAY_ALPHA)

    @property
    def has_alpha(self) -> bool:
        """Whether alpha is one of the channels."""
        return self in (ColourMode.GRAY_ALPHA, ColourMode.RGB_ALPHA)


class Rectangle(NamedTuple):
    """A part of the picture, in pixels from its top left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Header:
    """The fields of a file's header.

    width, height: pixels, 1 .. 2**32 - 1 (readers set limits of their own).
    colour_mode, bit_depth: of the original picture; the depth in bits per sample, 1 .. 16.
    profile, tune: how tokens are laid out, and what the encoder minimised.
    quality: units of 1/256, 0 .. 25600; 37.5 is 9600.
    tile_size: side of a square tile in pixels, a multiple of 64 up to 16320; 0 means that the picture is one tile.
    stage_count: stages of tokens, 0 .. 255; in version 1 a tile has a token section for each.
    codebook_id: 8 bytes, the beginning of the SHA-256 of the model.
    first_calls: calls of the prior in the first token section of each tile, 1 .. 63, in files of version 2, which have
        two stages and the profile `photo`; 0 in files of version 1.

    Raises UsageError for a field out of its range.
    """

    width: int
    height: int
    colour_mode: ColourMode
    bit_depth: int
    profile: Profile
    tune: Tune
    quality: int
    tile_size: int
    stage_count: int
    codebook_id: bytes
    first_calls: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("width", 1, VARINT_MAX),
            ("height", 1, VARINT_MAX),
            ("bit_depth", 1, 16),
            ("quality", 0, QUALITY_MAX),
            ("tile_size", 0, 255 * TILE_UNIT),
            ("stage_count", 0, 255),
            ("first_calls", 0, MAX_CALLS),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise UsageError(f"A header cannot have {name} {value}: it must be in {low} .. {high}.")
        for name, kind in (("colour_mode", ColourMode), ("profile", Profile), ("tune", Tune), ("codebook_id", bytes)):
            if not isinstance(getattr(self, name), kind):
                raise UsageError(f"A header's {name} is of the type {kind.__name__}.")
        if self.tile_size % TILE_UNIT:
            raise UsageError(f"A header cannot have tile_size {self.tile_size}: it must be a multiple of {TILE_UNIT}.")
        if len(self.codebook_id) != CODEBOOK_ID_BYTES:
            raise UsageError(f"A header's codebook_id has {CODEBOOK_ID_BYTES} bytes, not {len(self.codebook_id)}.")
        if self.colour_mode.has_alpha and self.profile != Profile.EXACT:
            raise UsageError("Alpha is a channel in files of the profile exact alone.")
        if self.first_calls and (self.profile, self.stage_count) != (Profile.PHOTO, PHOTO_STAGES):
            raise UsageError("A file of version 2 has the profile photo and two stages.")

    @property
    def version(self) -> int:
        """Of the format."""
        return 2 if self.first_calls else 1

    @property
    def tile_columns(self) -> int:
        return -(-self.width // self.tile_size) if self.tile_size else 1

    @property
    def tile_rows(self) -> int:
        return -(-self.height // self.tile_size) if self.tile_size else 1

    @property
    def tile_count(self) -> int:
        return self.tile_columns * self.tile_rows

    def tile_rectangle(self, tile: int) -> Rectangle:
        """The pixels of a tile. Tiles count row by row; those in the last column and row may be smaller. Raises
        UsageError for a number that no tile has."""
        if not 0 <= tile < self.tile_count:
            raise UsageError(f"There is no tile {tile} among {self.tile_count}.")
        row, column = divmod(tile, self.tile_columns)
        left, top = column * self.tile_size, row * self.tile_size
        width, height = (self.tile_size, self.tile_size) if self.tile_size else (self.width, self.height)
        return Rectangle(left, top, min(width, self.width - left), min(height, self.height - top))


def write_header(header: Header) -> bytes:
    """The header as bytes, from the signature to its checksum."""
    body = b"".join(
        (
            SIGNATURE,
            bytes([header.version]),
            varint(header.width),
            varint(header.height),
            bytes([header.colour_mode << 4 | header.bit_depth - 1, header.profile << 4 | header.tune]),
            header.quality.to_bytes(2, "little"),
            bytes([header.tile_size // TILE_UNIT, header.first_calls or header.stage_count]),
            header.codebook_id,
        )
    )
    return body + checksum(body)


def read_header(cursor: Cursor) -> Header:
    """The header at the cursor, which is moved behind the header's checksum.

    Raises InvalidFileError for anything that is not a whole, undamaged header of this version.
    """
    start = cursor.offset
    _check_signature(cursor)
    version = cursor.integer(1, "the version")
    if version not in VERSIONS:
        known = " and ".join(map(str, VERSIONS))
        raise InvalidFileError(f"The file has format version {version}, and this program reads versions {known}.")
    width = cursor.varint("the width")
    height = cursor.varint("the height")
    picture = cursor.integer(1, "the colour mode")
    codec = cursor.integer(1, "the profile")
    quality = cursor.integer(2, "the quality")
    tile_size = cursor.integer(1, "the tile size") * TILE_UNIT
    stages_or_calls = cursor.integer(1, "the number of stages")
    codebook_id = cursor.take(CODEBOOK_ID_BYTES, "the codebook id")
    check_checksum(cursor, start, "header")
    # Only after the checksum: an unknown number in an intact header is no damage, but of a later version.
    colour_mode = _known(ColourMode, picture >> 4, "colour mode")
    profile = RETIRED_PROFILES.get(codec >> 4) or _known(Profile, codec >> 4, "profile")
    tune = _known(Tune, codec & 15, "tune")
    bit_depth = (picture & 15) + 1
    stage_count, first_calls = (stages_or_calls, 0) if version == 1 else (PHOTO_STAGES, stages_or_calls)
    if version == 2 and not first_calls:
        raise InvalidFileError("The file is invalid: the first sections of its tiles hold no calls.")
    try:
        return Header(
            width, height, colour_mode, bit_depth, profile, tune, quality, tile_size, stage_count, codebook_id,
            first_calls,
        )  # fmt: skip
    except UsageError as error:
        raise InvalidFileError(str(error)) from None


def _check_signature(cursor: Cursor) -> None:
    if not cursor.left:
        raise InvalidFileError("The file is empty.")
    found = cursor.data[cursor.offset : cursor.offset + len(SIGNATURE)]
    if not found.startswith(SIGNATURE[:4]) and not SIGNATURE.startswith(found):
        raise InvalidFileError("The file is not a .nic file: it does not begin with the signature of one.")
    if cursor.take(len(SIGNATURE), "the signature") != SIGNATURE:
        raise InvalidFileError("The file is damaged: its signature was changed, as by a transfer in text mode.")


def _known(numbers: type[Number], number: int, what: str) -> Number:
    try:
        return numbers(number)
    except ValueError:
        raise InvalidFileError(f"The file has {what} {number}, which this program does not know.") from None


def checksum(data: bytes) -> bytes:
    """The CRC-32C of `data`, 4 bytes, little-endian."""
    return int(google_crc32c.value(data)).to_bytes(CRC_BYTES, "little")


def check_checksum(cursor: Cursor, start: int, what: str) -> None:
    """Reads a stored checksum, that of everything from `start` to it. Raises InvalidFileError where it is wrong."""
    expected = checksum(cursor.data[start : cursor.offset])
    if cursor.take(CRC_BYTES, f"the checksum of the {what}") != expected:
        raise InvalidFileError(f"The file is damaged: the checksum of the {what} is wrong.")
