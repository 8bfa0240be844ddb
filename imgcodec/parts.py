"""Parts of pictures: a region, or the whole at a smaller size, from no more of a file than that takes.

    file ──► header ──► which tiles and calls ──► their sections, and the frames of all ──► tokens of these tiles
                                                                                               │
    Picture ◄── alpha and metadata of the part ◄──────────────────────────────────────────── pixels

What is read is checked, what is not needed is not read: a file may be damaged elsewhere, and nobody is told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from imgcodec.bitstream.cursor import Slices
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.frames import Entry
from imgcodec.bitstream.header import Header, Profile, Rectangle
from imgcodec.bitstream.limits import ROOM, Limits, check_size
from imgcodec.bitstream.sections import PICTURE_SECTIONS, SectionType
from imgcodec.bitstream.token_sections import key
from imgcodec.codec import decode_picture
from imgcodec.exact.sections import blocks_of
from imgcodec.pictures.exact_samples import put_samples
from imgcodec.pictures.parts import picture_of_region, reduced_picture, resized
from imgcodec.pictures.picture import Picture
from imgcodec.profiles import PROFILES
from imgcodec.profiles.decodable import header_of, read_decodable, read_part
from imgcodec.tokens import PartialCodec, Stages, TokenCodec, Tokens, check_model, check_profile

TOGETHER = 2**24
"""Pixels of tiles that are read at once, at most. Their tokens take 2.5 bytes a pixel; samples of exact tiles one or
two for each channel."""


def decode_region(codec: TokenCodec, data: Slices, region: Rectangle, max_pixels: int) -> Picture:
    """A region of the picture of a file (`decodable.region_of`). Its pixels are within one gray level of the whole's.

    Raises InvalidFileError, also for a region of more than `max_pixels`, and ModelNotFoundError for a file of another
    model.
    """
    header = header_of(data)
    partial = _partial(codec, header)
    finest, coarsest = codec.strides[-1], codec.strides[0]
    needed = _grown(region, partial.margin(header), finest, header)
    window = _grown(needed, 0, coarsest, header)
    if region.width * region.height > max_pixels or window.width * window.height > 2 * max_pixels + ROOM:
        raise InvalidFileError(
            f"The region of {region.width} x {region.height} pixels, with what is around it, is over the limit of "
            f"{max_pixels} pixels."
        )
    tiles = _tiles(needed, header)

    def is_wanted(entry: Entry) -> bool:
        is_picture = entry.type in PICTURE_SECTIONS and entry.type != SectionType.FEATURES
        return entry.tile in tiles if entry.type in (SectionType.TOKENS, SectionType.EXACT) else is_picture

    file = read_part(data, is_wanted, max_pixels)
    of_window = replace(header, width=window.width, height=window.height)
    tokens, stages = file.tokens(), codec.empty(of_window)
    for index in sorted(tiles):
        if not tokens[index].is_whole:
            raise InvalidFileError(f"The file lacks tokens of tile {index}.")
    for together, rectangle in _groups(tiles, header):
        of_group = replace(header, width=rectangle.width, height=rectangle.height)
        found = codec.empty(of_group)
        codec.read(of_group, range(len(together)), [tokens[index] for index in together], found)
        _put(found, rectangle, stages, window, codec.strides)
    pixels = codec.synthesise(Tokens(of_window, stages), 1)
    left, top = region.left - window.left, region.top - window.top
    cut = np.ascontiguousarray(pixels[top : top + region.height, left : left + region.width])
    for blocks in blocks_of(file):
        blocks.put_into(cut, region.top, region.left)
    picture = picture_of_region(cut, file, region)
    if header.profile == Profile.EXACT:
        place = slice(top, top + region.height), slice(left, left + region.width)
        put_samples(picture, stages[0][:, *place], header.bit_depth)
    return picture


def decode_reduced(codec: TokenCodec, data: Slices, reduction: int, max_pixels: int) -> Picture:
    """The picture of a file, `reduction` (one of its profile's) times smaller, rounded up; with its profile and alpha,
    without other metadata. Raises as `decode_region`, but `max_pixels` is for the picture at its own size: something
    is decoded of all of it."""
    header = header_of(data)
    partial = _partial(codec, header)
    check_size(header.width, header.height, max_pixels)
    end = partial.reduced_end(header, reduction)

    def is_wanted(entry: Entry) -> bool:
        if entry.type == SectionType.TOKENS:
            return key(header, entry.stage, entry.tile)[0] < end
        return entry.type in (SectionType.ICC, SectionType.ALPHA, SectionType.EXACT)

    file = read_part(data, is_wanted, max_pixels)
    pixels = np.empty((-(-header.height // reduction), -(-header.width // reduction), 3), np.uint8)
    for index, tokens in enumerate(file.tokens()):
        if tokens.total is None or tokens.end < min(end, tokens.total):
            raise InvalidFileError(f"The file lacks tokens of tile {index}.")
        tile = header.tile_rectangle(index)
        part = partial.decode_reduced(replace(header, width=tile.width, height=tile.height), tokens, reduction)
        top, left = tile.top // reduction, tile.left // reduction
        pixels[top : top + part.shape[0], left : left + part.shape[1]] = part
    for blocks in blocks_of(file):
        blocks.reduced(reduction).put_into(pixels)
    return reduced_picture(pixels, file, reduction)


def decode_thumbnail(codec: TokenCodec, data: Slices, side: int, max_pixels: int) -> Picture:
    """The picture of a file with `side` pixels at its longer side, if it has more; with its profile and alpha, without
    other metadata. Decoded at the smallest size that is not smaller than that, as a whole where there is no smaller
    one. Raises as `decode_reduced`, and UsageError for a side under 1."""
    if side < 1:
        raise UsageError(f"A thumbnail has at least 1 pixel a side, not {side}.")
    header = header_of(data)
    longer = max(header.width, header.height)
    scale = min(1.0, side / longer)
    size = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    for reduction in PROFILES[header.profile].reductions:
        if longer >= side * reduction:
            picture = decode_reduced(codec, data, reduction, max_pixels)
            return resized(picture, size, (header.width / reduction, header.height / reduction))
    if len(data) > Limits(pixels=max_pixels).file_bytes:
        raise InvalidFileError(f"The file has more than the limit of {Limits(pixels=max_pixels).file_bytes} bytes.")
    file = read_decodable(data[0 : len(data)], max_pixels)
    picture = decode_picture(codec, file, max_pixels=max_pixels)
    return resized(picture, size, (picture.width, picture.height))


def _partial(codec: TokenCodec, header: Header) -> PartialCodec:
    """The codec of a file that has parts. Raises ModelNotFoundError and InvalidFileError as for whole pictures."""
    check_model(codec, header)
    check_profile(codec, header)
    return cast(PartialCodec, codec)


def _grown(part: Rectangle, margin: int, unit: int, header: Header) -> Rectangle:
    """A part with its borders moved outwards to multiples of `unit`, then by `margin`, as far as the picture goes."""
    left, top = (max(0, side // unit * unit - margin) for side in (part.left, part.top))
    right, bottom = (
        min(length, -(-end // unit) * unit + margin)
        for end, length in ((part.left + part.width, header.width), (part.top + part.height, header.height))
    )
    return Rectangle(left, top, right - left, bottom - top)


def _groups(tiles: frozenset[int], header: Header) -> Iterator[tuple[list[int], Rectangle]]:
    """The tiles of a part, which lie in a rectangle, in smaller ones of `TOGETHER` pixels or one tile at most. Those of
    a group are read at once, so that a codec may read each on a core of its own."""
    rows, columns = ({divmod(tile, header.tile_columns)[axis] for tile in tiles} for axis in (0, 1))
    most = max(1, TOGETHER // header.tile_size**2) if header.tile_size else 1
    for some_rows in _runs(rows, max(1, most // len(columns))):
        for some_columns in _runs(columns, most):
            group = [row * header.tile_columns + column for row in some_rows for column in some_columns]
            first, last = header.tile_rectangle(group[0]), header.tile_rectangle(group[-1])
            width, height = last.left + last.width - first.left, last.top + last.height - first.top
            yield group, Rectangle(first.left, first.top, width, height)


def _runs(numbers: set[int], most: int) -> list[list[int]]:
    """Numbers in their order, in runs of at most `most`."""
    ordered = sorted(numbers)
    return [ordered[first : first + most] for first in range(0, len(ordered), most)]


def _tiles(part: Rectangle, header: Header) -> frozenset[int]:
    """The tiles that have pixels of a part."""
    side = header.tile_size or max(header.width, header.height)
    rows = range(part.top // side, -(-(part.top + part.height) // side))
    columns = range(part.left // side, -(-(part.left + part.width) // side))
    return frozenset(row * header.tile_columns + column for row in rows for column in columns)


def _put(tokens: Stages, tile: Rectangle, stages: Stages, window: Rectangle, strides: Sequence[int]) -> None:
    """Puts those tokens of a tile that lie in a window into their places among the stages of the window."""
    for part, stage, stride in zip(tokens, stages, strides, strict=True):
        top, left = (window.top - tile.top) // stride, (window.left - tile.left) // stride
        part = part[:, max(0, top) :, max(0, left) :]
        place = stage[:, max(0, -top) :, max(0, -left) :][:, : part.shape[1], : part.shape[2]]
        place[:] = part[:, : place.shape[1], : place.shape[2]]
