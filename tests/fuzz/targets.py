"""What is fuzzed, as plain functions of bytes: atheris drives them in `run.py`, hypothesis in `test_fuzz.py`.

A target returns whether the input got past the first checks: through the container, or to the model. It raises where
the program broke a promise: with an exception that a caller is not told of, or for a result against the file.
"""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from fuzz.structure import mend

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError
from imgcodec.bitstream.header import Profile, Rectangle
from imgcodec.bitstream.salvage import salvage
from imgcodec.exact import blocks, tile
from imgcodec.profiles.decodable import check_decodable, read_decodable, salvage_decodable

if TYPE_CHECKING:
    from imgcodec.profiles.semantic.codec import SemanticCodec
    from imgcodec.tokens import TokenCodec

DEPTHS = (1, 8, 12, 16)
RULES = 4  # bytes before the data of `read_exact`
GOLDEN = Path(__file__).parents[1] / "golden"
TINY, SEMANTIC = GOLDEN / "tiny.safetensors", GOLDEN / "semantic.safetensors"
MAX_PIXELS = 2**16  # a picture at the real limit takes minutes, which would be no hang
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "PPM")


def read_container(data: bytes) -> bool:
    """The container reader, on the bytes as they are and with their checksums mended."""
    mended = mend(data)
    accepted = _read(data)
    return accepted if mended == data else _read(mended) or accepted


def _read(data: bytes) -> bool:
    found = None
    with suppress(InvalidFileError):
        found = salvage(data)
    try:
        file = container.read(data)
    except InvalidFileError:
        return False
    assert found is not None
    assert (found.file, found.gaps, found.has_end) == (file, (), True)
    assert file.size == len(data)
    assert len(file.tokens()) == file.header.tile_count
    assert all(tile.is_whole for tile in file.tokens())
    again = container.read(container.write(file.header, file.sections))
    assert sorted(again.sections, key=str) == sorted(file.sections, key=str)
    with suppress(InvalidFileError):
        check_decodable(file)
    return True


def decode(data: bytes) -> bool:
    """The whole decoder, from the bytes to the bytes of a PNG or another: with a tiny model of the file's profile, as
    its file; and the features. What is damaged before its checksums are mended is recovered first."""
    from imgcodec.codec import decode_picture
    from imgcodec.pictures import io as image

    _recover(data)
    try:
        file = read_decodable(mend(data, tiny_codec().id), MAX_PIXELS)
    except InvalidFileError:
        return False
    codec = tiny_codec()
    if file.header.profile == Profile.SEMANTIC:
        codec = semantic_codec()
        file = replace(file, header=replace(file.header, codebook_id=codec.id))
    elif file.header.profile == Profile.EXACT:
        codec = exact_codec()
        file = replace(file, header=replace(file.header, codebook_id=codec.id))
    with suppress(InvalidFileError, ModelNotFoundError):
        levels = semantic_codec().read_features(file)
        assert levels.shape == (semantic_codec().dim,)
        assert 0 <= levels.min() <= levels.max() < 255
    try:
        picture = decode_picture(codec, file, max_pixels=MAX_PIXELS)
    except InvalidFileError:
        return True
    assert (picture.width, picture.height) == (file.header.width, file.header.height)
    assert picture.alpha is None or picture.alpha.shape == picture.pixels.shape[:2]
    try:
        encoded, _ = image.encode(picture, FORMATS[len(data) % len(FORMATS)])
    except CodecError:  # some formats have no room for some sizes
        return True
    assert encoded
    return True


def read_exact(data: bytes) -> bool:
    """The data of a section of exact pixels, or of exact blocks. Four bytes before it say the sides of the tile, 1 to
    130; its channels, depth and which of both it is; and whether what it decodes to is written again."""
    if len(data) < RULES:
        return False
    height, width, kind, again = 1 + data[0] % 130, 1 + data[1] % 130, data[2], data[3]
    channels, depth, is_blocks = 1 + kind % 4, DEPTHS[kind // 4 % 4], kind // 16 % 2
    try:
        if is_blocks:
            return _read_blocks(data[RULES:], Rectangle(0, 0, width, height), 1 if channels < 3 else 3)
        found = tile.decode(data[RULES:], (channels, height, width), depth)
    except InvalidFileError:
        return False
    assert found.shape == (channels, height, width)
    assert found.dtype == (np.uint8 if depth <= 8 else np.uint16)
    assert depth <= 8 or found.max() < 2**depth
    if again % 8 == 0:
        np.testing.assert_array_equal(tile.decode(tile.encode(found), found.shape, depth), found)
    return True


def _read_blocks(data: bytes, place: Rectangle, channels: int) -> bool:
    found = blocks.read(data, place, channels)
    canvas = np.zeros((place.height, place.width, 3), np.uint8)
    found.put_into(canvas)
    height, width = found.is_there.shape
    assert found.pixels.shape == (height, width, 3)
    assert found.is_there.any()
    assert (canvas[found.top : found.top + height, found.left : found.left + width][~found.is_there] == 0).all()
    small = found.reduced(8)
    assert small.pixels.shape[:2] == small.is_there.shape == (-(-height // 8), -(-width // 8))
    return True


def _recover(data: bytes) -> None:
    from imgcodec.codec import recover_picture

    try:
        whole = salvage_decodable(data, MAX_PIXELS)
        is_exact = whole.file.header.profile == Profile.EXACT
        found = recover_picture(exact_codec() if is_exact else tiny_codec(), whole)
    except (InvalidFileError, ModelNotFoundError):
        return
    header = found.found.file.header
    assert found.picture.pixels.shape == (header.height, header.width, 3)
    assert all(found.notes)


@cache
def exact_codec() -> "TokenCodec":
    from imgcodec.profiles.exact.codec import ExactCodec

    return ExactCodec()


@cache
def tiny_codec() -> "TokenCodec":
    """The frozen model of the golden files."""
    from imgcodec.codec import load_codec

    return load_codec(TINY)


@cache
def semantic_codec() -> "SemanticCodec":
    """The frozen model of the golden files with vectors, drawing in one step."""
    from imgcodec.codec import load_codec
    from imgcodec.profiles.semantic.codec import with_drawing
    from imgcodec.profiles.semantic.drawing import DrawingOptions

    return with_drawing(load_codec(SEMANTIC), DrawingOptions(steps=1))


TARGETS = {"container": read_container, "decoder": decode, "exact": read_exact}
