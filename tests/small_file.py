"""A small .nic file with no more in it than it must have, and how the reader refuses what is made of it."""

import pytest

from imgcodec.bitstream.container import read, write
from imgcodec.bitstream.cursor import varint
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import ColourMode, Header, Profile, Tune, checksum
from imgcodec.bitstream.limits import Limits
from imgcodec.bitstream.sections import Section, SectionType

HEADER = Header(
    width=300,
    height=200,
    colour_mode=ColourMode.RGB,
    bit_depth=8,
    profile=Profile.PHOTO,
    tune=Tune.PSNR,
    quality=50 * 256,
    tile_size=0,
    stage_count=2,
    codebook_id=bytes(range(1, 9)),
)
TOKENS = [Section(SectionType.TOKENS, 0, 0, b""), Section(SectionType.TOKENS, 1, 0, bytes.fromhex("b6f537"))]
ICC = Section(SectionType.ICC, 0, 0, b"profile")
SMALL_FILE = write(HEADER, [*TOKENS, ICC])
END = bytes(4) + checksum(bytes(4))


def raw_section(kind: int, stage: int, tile: int, data: bytes) -> bytes:
    body = bytes([kind, stage]) + varint(tile) + varint(len(data)) + data
    return body + checksum(body)


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidFileError) as caught:
        read(data, limits or Limits())
    return str(caught.value)
