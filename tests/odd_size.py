"""A golden file of 100 x 75 pixels, headers of other sizes, and what a reader says that refuses them."""

from dataclasses import replace
from pathlib import Path

import pytest

from imgcodec import InvalidFileError
from imgcodec.bitstream import container
from imgcodec.bitstream.header import Header

GOLDEN = Path(__file__).parent / "golden"
DATA = (GOLDEN / "odd-size.nic").read_bytes()  # 100 x 75
FILE = container.read(DATA)


def refusal(call, *arguments) -> str:
    with pytest.raises(InvalidFileError) as caught:
        call(*arguments)
    return str(caught.value)


def header_of(width: int, height: int, tile_size: int = 0) -> Header:
    return replace(FILE.header, width=width, height=height, tile_size=tile_size)
