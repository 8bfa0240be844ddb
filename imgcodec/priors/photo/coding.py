"""Coding the tokens of a tile: one function writes and reads them, with encoders or decoders. Knows no torch."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import Int32s, Numbers
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.tables import centre_and_table


class Coder(Protocol):
    """What `code_tile` passes values through: it writes them, reads them, or only keeps or counts them."""

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s | None:
        """Values (n,) to be written, with the table of each; None where they are read -> what they are. None where that
        is not known: then they are taken to be what the prior expects."""


SliceCoder = Callable[[int, int, int, NDArray[np.int32], int], NDArray[np.int32]]
"""(stage, first group, number of groups, parameters (2 * groups, h, w / 2), parity) -> centred tokens (groups, rows,
columns) of anchors (parity 0) or non-anchors (1), from the top left corner on; all others are 0. The parameters are all
means, then all scales."""


class Walk(Protocol):
    """An integer prior: calls `code` for every slice and parity, in coding order."""

    def __call__(self, size: tuple[int, int], quality: int, code: SliceCoder, slices: int | None = None) -> None:
        """size: rows and columns of a tile in stage 0. quality: the header's, 0..25600, plus TUNE_UNITS for the second
        tune. slices: how many of both stages are coded, the first ones; None for all. Nothing is computed for those
        behind them."""


@dataclass(frozen=True)
class CallPlace:
    """The tokens of a call: groups `first` to `end - 1` of a stage, which are in the slice of this number, at anchors
    (parity 0) or non-anchors (1). Slices are counted over both stages."""

    stage: int
    slice: int
    parity: int
    first: int
    end: int


@lru_cache(maxsize=8)
def call_places(slices: tuple[tuple[int, ...], ...], shares: int) -> tuple[CallPlace, ...]:
    """The calls of a tile, in order: slice by slice, anchors before non-anchors, and of each as many calls as `shares`,
    which have nearly the same number of groups.

    slices: groups of each slice of each stage.
    """
    places, number = [], 0
    for stage, sizes in enumerate(slices):
        first = 0
        for groups in sizes:
            cuts = [first + groups * share // shares for share in range(shares + 1)]
            places += [CallPlace(stage, number, parity, *cut) for parity in (0, 1) for cut in pairwise(cuts)]
            first, number = first + groups, number + 1
    return tuple(places)


def calls_in_use(places: Sequence[CallPlace], is_used: Sequence[NDArray[np.bool_]]) -> int:
    """The calls up to the last one that has a token which is used; is_used: (groups, rows, columns) of each stage."""
    for number, place in reversed(list(enumerate(places, 1))):
        used = is_used[place.stage][place.first : place.end]
        if any(used[:, row::2, row ^ place.parity :: 2].any() for row in (0, 1)):
            return number
    return 0


def code_tile(
    config: PhotoPriorConfig,
    walk: Walk,
    coder: Coder,
    sizes: Sequence[tuple[int, int]],
    quality: int,
    tokens: Sequence[NDArray[np.int16] | NDArray[np.float16]] | None,
    zero: int,
    places: Sequence[CallPlace],
) -> list[NDArray[np.int16]]:
    """Codes a tile's tokens, call by call.

    config, walk: of the prior. sizes: (rows, columns) of each stage's tokens. quality: as `Walk` takes it. tokens: to
    be written, (groups, rows, columns) per stage, or centred real numbers for a coder that chooses tokens itself; None
    to read. zero: index of the zero codeword. places: of all calls, or of the first of them. The tokens of the others
    are zero, and nothing is computed for a slice that has no calls.

    Returns the tokens of both stages. Positions beyond `sizes`, up to whole windows, are not coded: they are zero.
    Raises InvalidFileError where the coder gives what no encoder writes.
    """
    groups = [sum(s) for s in config.slices]
    done = [np.full((g, *size), zero, np.int16) for g, size in zip(groups, sizes, strict=True)]
    by_half = defaultdict[tuple[int, int], list[CallPlace]](list)
    for place in places:
        by_half[place.slice, place.parity].append(place)
    halves = iter(by_half.values())

    def code(stage: int, first: int, count: int, parameters: NDArray[np.int32], parity: int) -> NDArray[np.int32]:
        half = _half(*sizes[stage], parity)
        coded = np.zeros((count, half.count), np.int32)
        calls = next(halves, [])
        numbers = half.of_plane(parameters) if calls else coded
        given = None if tokens is None else half.of_tile(tokens[stage][first : first + count])
        for call in calls:
            part = slice(call.first - first, call.end - first)
            centre, table = centre_and_table(numbers[part], numbers[count:][part])
            values = None if given is None else _offsets(given[part], centre, zero)
            found = coder.code(values, table.ravel())
            coded[part] = centre.clip(-zero, zero) if found is None else found.reshape(centre.shape) + centre
        if coded.size and (int(coded.min()) < -zero or int(coded.max()) > zero):
            raise InvalidFileError("The file is damaged: it has a token that no codebook knows.")
        rectangle = half.to_rectangle(coded)
        half.to_tile(rectangle + zero, done[stage][first : first + count])
        return rectangle

    walk(sizes[0], quality, code, places[-1].slice + 1 if places else 0)
    return done


def _offsets(given: NDArray[Any], centre: NDArray[np.int32], zero: int) -> Numbers:
    """Tokens, or centred real numbers, (groups, n) -> how far they are from the centre, (groups * n,)."""
    if given.dtype == np.int16:
        return (given.astype(np.int32) - zero - centre).ravel()
    return (given.astype(np.float32) - centre.astype(np.float32)).ravel()


class _CheckerboardHalf:
    """The coded positions of one half of the checkerboard, in a tile of so many rows and columns; n of them.

    In a `checkerboard_half` they are a rectangle of all rows and half of the columns. Where the number of columns is
    odd, every second row has one position less, and the last one of the rectangle is left out.
    """

    def __init__(self, rows: int, columns: int, parity: int) -> None:
        self.rows, self.width, self.parity = rows, -(-columns // 2), parity
        self._full: NDArray[np.intp] | None = None  # positions of the rectangle that are in the tile; None for all
        if columns % 2:
            y, x = np.indices((rows, self.width))
            self._full = np.flatnonzero(2 * x + (y + parity) % 2 < columns)
        self.count = rows * self.width if self._full is None else len(self._full)

    def of_plane(self, plane: NDArray[np.int32]) -> NDArray[np.int32]:
        """A `checkerboard_half` (C, h, w / 2) of the padded tile -> (C, n)."""
        return self._flat(plane[:, : self.rows, : self.width])

    def of_tile(self, tile: NDArray[Any]) -> NDArray[Any]:
        """(C, rows, columns) -> (C, n)."""
        rectangle = np.zeros((len(tile), self.rows, self.width), tile.dtype)
        for row in (0, 1):
            part = tile[:, row::2, row ^ self.parity :: 2]
            rectangle[:, row::2, : part.shape[2]] = part
        return self._flat(rectangle)

    def to_rectangle(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """(C, n) -> (C, rows, width), zeros where a position is left out."""
        if self._full is None:
            return values.reshape(len(values), self.rows, self.width)
        rectangle = np.zeros((len(values), self.rows * self.width), values.dtype)
        rectangle[:, self._full] = values
        return rectangle.reshape(len(values), self.rows, self.width)

    def to_tile(self, rectangle: NDArray[np.int32], tile: NDArray[np.int16]) -> None:
        """Puts (C, rows, width) at their positions in a tile (C, rows, columns)."""
        for row in (0, 1):
            part = tile[:, row::2, row ^ self.parity :: 2]
            part[:] = rectangle[:, row::2, : part.shape[2]]

    def _flat(self, rectangle: NDArray[Any]) -> NDArray[Any]:
        flat = rectangle.reshape(len(rectangle), -1)
        return flat if self._full is None else flat[:, self._full]


_half = lru_cache(maxsize=64)(_CheckerboardHalf)
