"""Samples of TIFF files that Pillow refuses, takes for the negative, or reads with fewer bits than they have.

      file ──► tags ──► Layout ──► a TIFF of the same strips or tiles,  ──► Pillow (libtiff), which ──► bits apart
                                   whose samples are said to be bytes       undoes the compression

Gray and RGB of 1 to 16 bits, of either byte order, in strips, tiles or planes, with alpha or without. Those of up to 8
bits are read so only where Pillow refuses them. The layout of files is that of TIFF 6.0 (Adobe, 1992), of BigTIFF and
of the technical notes that libtiff follows. Untrusted input: no length is believed.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.pictures.modes import Pixels, to_bytes

Wide: TypeAlias = NDArray[np.uint32]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _CHANNELS, _STRIP_ROWS, _STRIP_BYTES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339
_UNKNOWN_TAG = 65000  # and the one behind it: nobody's

_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}  # integers: BYTE, SHORT, LONG, LONG8
_BYTEWISE = {1, 5, 8, 32773, 32946, 34925, 50000}  # none, LZW, deflate, PackBits, deflate again, LZMA, Zstandard
_MAX_CHANNELS = 6  # as Pillow
_UNSIGNED, _UNDEFINED = 1, 4  # formats of samples; readers take the second for the first
_ASSOCIATED, _UNASSOCIATED, _CORELS = 1, 2, 999  # kinds of alpha; the last is what Corel Draw writes for the second
_BLOCK = 2**20  # samples that are worked on at a time


@dataclass(frozen=True)
class Layout:
    """How the samples of a TIFF lie in the file.

    bits: per sample, 1 to 16. photometric: WHITE_IS_ZERO, BLACK_IS_ZERO or RGB. channels: of a pixel, of which the
    first are colours. alpha: which of them is alpha, or None; associated: the colours are multiplied by it.
    planes: the channels lie one after the other. difference: each sample is the difference to its left neighbour.
    rows, columns: of a strip or tile. offsets, lengths: of strips or tiles, in bytes.
    """

    order: str
    width: int
    height: int
    bits: int
    compression: int
    photometric: int
    fill_order: int
    channels: int
    alpha: int | None
    associated: bool
    planes: bool
    difference: bool
    tiled: bool
    rows: int
    columns: int
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def gray(self) -> bool:
        return self.photometric != RGB

    @property
    def left_out(self) -> int:
        """The number of channels that are neither colours nor alpha."""
        return self.channels - (1 if self.gray else 3) - (self.alpha is not None)


def layout(data: bytes) -> Layout | None:
    """The layout of the first picture in a TIFF file; None for another file, a damaged one, and samples that are not
    unsigned integers of one size, gray or RGB, or are compressed in another way than byte by byte."""
    try:
        order, _, entries = _directory(data)
        tags = {tag: _values(data, order, *place) for tag, place in entries.items() if tag in _NEEDED}
    except (struct.error, ValueError):
        return None

    def first(tag: int, usual: int) -> int:
        return tags[tag][0] if tags.get(tag) else usual

    width, height, channels = first(_WIDTH, 0), first(_HEIGHT, 0), first(_CHANNELS, 1)
    bits, photometric = tags.get(_BITS) or (1,), first(_PHOTOMETRIC, WHITE_IS_ZERO)
    predictor, sample_format = first(_PREDICTOR, 1), tags.get(_SAMPLE_FORMAT) or (1,)
    tiled = _TILES in tags
    offsets = tags.get(_TILES if tiled else _STRIPS) or ()
    rows = min(first(_TILE_HEIGHT, 0) if tiled else first(_STRIP_ROWS, height), height)
    columns = first(_TILE_WIDTH, 0) if tiled else width
    colours = 3 if photometric == RGB else 1
    extra = (tags.get(_EXTRA) or ((_UNASSOCIATED,) if (colours, channels) == (3, 4) else ()))[
        : max(channels - colours, 0)
    ]
    alpha = next((i for i, kind in enumerate(extra) if kind in (_ASSOCIATED, _UNASSOCIATED, _CORELS)), None)
    planes = first(_PLANAR, 1) == 2 and channels > 1
    sound = (
        min(width, height, rows, columns) >= 1
        and colours <= channels <= _MAX_CHANNELS
        and 1 <= bits[0] <= 16
        and set(bits) == {bits[0]}
        and set(sample_format) in ({_UNSIGNED}, {_UNDEFINED})
        and photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
        and first(_COMPRESSION, 1) in _BYTEWISE
        and (predictor == 1 or (predictor == 2 and bits[0] in (8, 16)))
        and (not tiled or columns * bits[0] * (1 if planes else channels) % 8 == 0)
        and len(offsets) == -(-width // columns) * -(-height // rows) * (channels if planes else 1)
    )
    if not sound:
        return None
    return Layout(
        order=order, width=width, height=height, bits=bits[0], compression=first(_COMPRESSION, 1),
        photometric=photometric, fill_order=first(_FILL_ORDER, 1), channels=channels,
        alpha=None if alpha is None else colours + alpha,
        associated=alpha is not None and extra[alpha] == _ASSOCIATED, planes=planes,
        difference=predictor == 2 and first(_COMPRESSION, 1) != 1, tiled=tiled, rows=rows, columns=columns,
        offsets=offsets, lengths=tags.get(_TILE_BYTES if tiled else _STRIP_BYTES) or (),
    )  # fmt: skip


def preferred_layout(data: bytes) -> Layout | None:
    """The layout of a TIFF file that Pillow may open, but whose samples are to be read here: those of more than 8 bits,
    which Pillow reduces to 8, widens to 16 or takes for the negative, and one kind that it opens and cannot decode."""
    found = layout(data)
    if found is None:
        return None
    undecodable = (found.photometric, found.bits, found.fill_order) == (WHITE_IS_ZERO, 8, 2)
    return found if found.bits > 8 or undecodable else None


def stand_in(data: bytes) -> bytes:
    """The TIFF with tags that say its samples are gray with 8 bits, so that Pillow opens it, to read its metadata.

    Nothing moves, and the pixels are not to be decoded. data: a file that has a Layout.
    """
    order, big, entries = _directory(data)
    changed = bytearray(data)
    for tag, value in ((_BITS, 8), (_PHOTOMETRIC, BLACK_IS_ZERO), (_CHANNELS, 1), (_PLANAR, 1)):
        if tag in entries:
            form = "HHQ8s" if big else "HHI4s"
            struct.pack_into(order + form, changed, entries[tag][0], tag, 3, 1, struct.pack(order + "H", value))
    for number, tag in enumerate((_EXTRA, _SAMPLE_FORMAT)):
        if tag in entries:
            struct.pack_into(order + "H", changed, entries[tag][0], _UNKNOWN_TAG + number)
    return bytes(changed)


def read(data: bytes, found: Layout) -> tuple[Pixels, Pixels | None, NDArray[np.uint16]]:
    """Pixels (H, W, 3) and alpha (H, W) or None, both uint8, rounded, not multiplied by alpha and not turned; and all
    bits of the same, (H, W, channels), gray or RGB, and alpha where there is one. Raises whatever Pillow raises for
    damaged strips."""
    pixels = np.empty((found.height, found.width, 3), np.uint8)
    alpha = None if found.alpha is None else np.empty((found.height, found.width), np.uint8)
    maximum = 2**found.bits - 1
    channels = 1 if found.gray else 3
    wide = np.empty((found.height, found.width, channels + (alpha is not None)), np.uint16)
    for rows, samples in _samples(data, found):
        colours = samples[..., : 1 if found.gray else 3]
        if found.photometric == WHITE_IS_ZERO:
            colours = maximum - colours
        if alpha is not None:
            opacity = samples[..., found.alpha]
            alpha[rows] = to_bytes(opacity, maximum)
            wide[rows, :, -1] = opacity
            if found.associated:
                colours = _divided(colours, opacity[..., None], maximum)
        pixels[rows] = to_bytes(colours, maximum)
        wide[rows, :, :channels] = colours
    return pixels, alpha, wide


_NEEDED = {
    _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIPS, _CHANNELS, _STRIP_ROWS, _STRIP_BYTES,
    _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _SAMPLE_FORMAT,
}  # fmt: skip

_Place: TypeAlias = tuple[int, int, int, int]  # of an entry, its type, its number of values, and where they are


def _directory(data: bytes) -> tuple[str, bool, dict[int, _Place]]:
    """The byte order, whether it is a BigTIFF, and the entries of the first directory by their tags. Raises
    struct.error where it is cut, and ValueError for another file."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no TIFF")
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version not in (42, 43):
        raise ValueError("no TIFF")
    big = version == 43
    (start,) = struct.unpack_from(order + "Q", data, 8) if big else struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    step, room = (20, 8) if big else (12, 4)
    entries: dict[int, _Place] = {}
    for index in range(min(count, 2**16)):
        place = start + (8 if big else 2) + step * index
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, place)
        inside = kind in _TYPES and values * struct.calcsize(_TYPES[kind]) <= room
        (outside,) = struct.unpack_from(order + ("Q" if big else "I"), data, place + step - room)
        entries[tag] = (place, kind, values, place + step - room if inside else outside)
    return order, big, entries


def _values(data: bytes, order: str, _: int, kind: int, count: int, place: int) -> tuple[int, ...]:
    if kind not in _TYPES:
        raise ValueError("no integers")
    if count > len(data):  # before a format of this length is made
        raise ValueError("more values than bytes")
    return struct.unpack_from(f"{order}{count}{_TYPES[kind]}", data, place)


def _samples(data: bytes, found: Layout) -> Iterator[tuple[slice, Wide]]:
    """Rows and their samples (rows, W, channels), from the top."""
    per_row = 1 if found.planes else found.channels
    planes = _planes(data, found, per_row)
    step = max(1, _BLOCK // (found.width * found.channels))
    for top in range(0, found.height, step):
        rows = slice(top, min(top + step, found.height))
        apart = [_apart(plane[rows], found, per_row) for plane in planes]
        samples = np.concatenate(apart, axis=2) if len(apart) > 1 else apart[0]
        yield rows, _summed(samples, found) if found.difference else samples


def _planes(data: bytes, found: Layout, per_row: int) -> list[Pixels]:
    """The bytes of the samples, uncompressed, (H, bytes of a row): one array, or one for each channel."""
    parts = len(found.offsets) // (found.channels if found.planes else 1)
    bytewise = bytearray(data)
    places = []
    for first in range(0, len(found.offsets), parts):
        places.append(len(bytewise) + len(bytewise) % 2)
        _append_directory(bytewise, found, per_row, slice(first, first + parts))
    planes = []
    for place in places:
        struct.pack_into(found.order + "2sHI", bytewise, 0, b"II" if found.order == "<" else b"MM", 42, place)
        with Image.open(io.BytesIO(bytewise), formats=["TIFF"]) as image:
            planes.append(np.asarray(image))
    return planes


def _append_directory(bytewise: bytearray, found: Layout, per_row: int, parts: slice) -> None:
    """Puts a directory behind a file: that of a gray picture with 8 bits, which is as wide as its rows have bytes."""

    def in_bytes(columns: int) -> int:
        return -(-columns * per_row * found.bits // 8)

    tags: dict[int, Sequence[int]] = {
        _WIDTH: [in_bytes(found.width)], _HEIGHT: [found.height], _BITS: [8], _COMPRESSION: [found.compression],
        _PHOTOMETRIC: [BLACK_IS_ZERO], _FILL_ORDER: [found.fill_order], _CHANNELS: [1],
    }  # fmt: skip
    if found.tiled:
        tags |= {_TILE_WIDTH: [in_bytes(found.columns)], _TILE_HEIGHT: [found.rows]}
    else:
        tags[_STRIP_ROWS] = [found.rows]
    tags[_TILES if found.tiled else _STRIPS] = found.offsets[parts]
    if len(found.lengths) == len(found.offsets):
        tags[_TILE_BYTES if found.tiled else _STRIP_BYTES] = found.lengths[parts]
    bytewise += bytes(len(bytewise) % 2)
    outside = len(bytewise) + 2 + 12 * len(tags) + 4
    entries, behind = b"", b""
    try:
        for tag, values in sorted(tags.items()):
            short = tag in (_BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _CHANNELS)
            packed = struct.pack(f"{found.order}{len(values)}{'H' if short else 'I'}", *values)
            value = (
                packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(found.order + "I", outside + len(behind))
            )
            entries += struct.pack(found.order + "HHI", tag, 3 if short else 4, len(values)) + value
            behind += packed if len(packed) > 4 else b""
    except struct.error:  # a number of more than 32 bits: it points behind the end of any file
        raise InvalidFileError("Its strips lie outside the file.") from None
    bytewise += struct.pack(found.order + "H", len(tags)) + entries + bytes(4) + behind


def _apart(rows: Pixels, found: Layout, per_row: int) -> Wide:
    """Samples (rows, W, per_row) of the bytes of rows, in which they lie without gaps, their highest bits first; those
    of 16 bits in the file's byte order."""
    count = found.width * per_row
    if found.bits == 8:
        samples = rows[:, :count].astype(np.uint32)
    elif found.bits == 16:
        samples = np.ascontiguousarray(rows[:, : 2 * count]).view(found.order + "u2").astype(np.uint32)
    else:
        places = np.arange(count) * found.bits
        first, skipped = places // 8, (places % 8).astype(np.uint32)
        wide = np.pad(rows, ((0, 0), (0, 2))).astype(np.uint32)  # a sample reaches into three bytes at most
        window = wide[:, first] << 16 | wide[:, first + 1] << 8 | wide[:, first + 2]
        samples = (window >> (np.uint32(24 - found.bits) - skipped)).astype(np.uint32) & np.uint32(2**found.bits - 1)
    return samples.reshape(len(rows), found.width, per_row)


def _summed(samples: Wide, found: Layout) -> Wide:
    """Samples of their differences along the rows of a strip or tile."""
    for left in range(0, found.width, found.columns):
        tile = samples[:, left : left + found.columns]
        tile[:] = np.cumsum(tile, axis=1, dtype=np.uint32) & np.uint32(2**found.bits - 1)
    return samples


def _divided(colours: Wide, opacity: Wide, maximum: int) -> Wide:
    """Colours that were multiplied by an opacity 0 .. maximum; as they are, where that is 0."""
    divisor = np.where(opacity == 0, maximum, opacity).astype(np.uint64)
    straight = (colours.astype(np.uint64) * np.uint64(maximum) + divisor // 2) // divisor
    return np.minimum(straight, maximum).astype(np.uint32)
