"""Samples predicted from those around them, from a coarse grid to a fine one (`docs/format.md`, section 9.3).

    known                 group 0: centres      group 1: beside them   group 2: below them
    o   .   o   .         o   .   o   .         o   1   o   1          o   1   o   1
    .   .   .   .         .   0   .   0         .   0   .   0          2   0   2   0
    o   .   o   .         o   .   o   .         o   1   o   1          o   1   o   1
    .   .   .   .         .   0   .   0         .   0   .   0          2   0   2   0

So the distance of known samples is halved by three groups. All samples of a group are predicted at once, because none
of them takes part in the prediction of another: NumPy goes through a picture of any size in some tens of steps. One
function, `walk`, does it in both directions; what differs is the `Coder` that it asks.

The known samples and each group lie in arrays of their own (`Grid`), so that all neighbours of a group are slices
without gaps. All numbers are whole ones in floats, which are exact: see `walk`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.int32]
Reals = NDArray[Any]  # float32 or float64

CLASSES = 3  # of neighbourhoods: no direction, alike along the first pair of neighbours, alike along the second
LEVELS = 2  # with weights of their own: the finest grid, and all others
UNIT = 7  # weights are in units of 2^-7
_BAND = 2**15  # samples that are predicted at a time, so that what is computed stays in the processor's cache
_MARGIN = 2  # of the arrays of a grid: the furthest neighbour is 3 rows or columns of the grid away

# Of each group: its first row and column in a grid, and pairs of neighbours that lie opposite to each other, of which
# one is so many rows and columns away, the other as many in the other direction. The first two are the nearest.
GROUPS: tuple[tuple[tuple[int, int], tuple[tuple[int, int], ...]], ...] = (
    ((1, 1), ((1, 1), (1, -1), (1, 3), (1, -3), (3, 1), (3, -1))),
    ((0, 1), ((0, 1), (1, 0), (1, 2), (1, -2), (2, 1), (2, -1), (0, 3), (3, 0))),
    ((1, 0), ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (1, -2), (2, 1), (2, -1))),
)


@dataclass(frozen=True)
class Place:
    """Samples that are predicted alike. level: 0 for those of the finest grid, 1 for all others."""

    channel: int
    group: int
    level: int

    @property
    def weights(self) -> int:
        """How many a prediction has: for each pair but the first, and for each channel before this one."""
        return len(GROUPS[self.group][1]) - 1 + self.channel


@dataclass
class Grid:
    """Numbers (height, width) whose even rows and columns are known first, then one group after the other.

    parts: by first row and column, 0 or 1 each; each with a margin, in which the grid goes on mirrored at its first
    and last row and column.
    """

    height: int
    width: int
    parts: dict[tuple[int, int], Reals] = field(default_factory=dict)

    def put(self, first: tuple[int, int], numbers: Reals) -> None:
        """The numbers of every other row and column from the first ones."""
        part = np.empty((numbers.shape[0] + 2 * _MARGIN, numbers.shape[1] + 2 * _MARGIN), numbers.dtype)
        inside = part[:, _MARGIN:-_MARGIN]
        inside[_MARGIN:-_MARGIN] = numbers
        for beyond, here in _mirrored(self.height, first[0], numbers.shape[0]):
            inside[beyond] = inside[here]
        for beyond, here in _mirrored(self.width, first[1], numbers.shape[1]):
            part[:, beyond] = part[:, here]
        self.parts[first] = part

    def at(self, row: int, column: int, height: int, width: int) -> Reals:
        """Every other row and column from these on, so many of each."""
        part = self.parts[row % 2, column % 2]
        top, left = row // 2 + _MARGIN, column // 2 + _MARGIN
        return part[top : top + height, left : left + width]

    def whole(self) -> Reals:
        """All numbers (height, width)."""
        found = np.empty((self.height, self.width), self.parts[0, 0].dtype)
        for (top, left), part in self.parts.items():
            found[top::2, left::2] = part[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        return found


def _mirrored(length: int, first: int, count: int) -> Iterator[tuple[int, int]]:
    """Of every other place of a line, from the first on: those in its margins, and the place that each repeats."""
    period = max(1, 2 * (length - 1))
    for beyond in (*range(_MARGIN), *range(_MARGIN + count, 2 * _MARGIN + count)):
        place = (2 * (beyond - _MARGIN) + first) % period
        yield beyond, (min(place, period - place) - first) // 2 + _MARGIN


@dataclass(frozen=True)
class Neighbourhood:
    """What is known around some samples, in rows: those of a group in `band`, a slice of its rows.

    known: the sum of each pair of neighbours, then the error of each earlier channel (pairs + channel, h, w).
    one, two: how much the first pair differs, and the second (h, w). misses: what else says how much changes here.
    """

    band: slice
    known: Reals
    one: Reals
    two: Reals
    misses: Reals

    @cached_property
    def along(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where the class is 1, and where it is 2 (h, w)."""
        return 2 * self.one + 1 < self.two, 2 * self.two + 1 < self.one

    @property
    def activity(self) -> Reals:
        """How much changes here (h, w), from 0."""
        return self.one + self.two + self.misses


class Coder(Protocol):
    """What `walk` asks for the samples of a group of a channel in one grid."""

    def weights(self, place: Place) -> NDArray[np.int8]:
        """(CLASSES, place.weights)."""

    def code(self, place: Place, where: tuple[slice, slice], predicted: Reals, activity: Reals) -> Reals:
        """The samples of a plane, at these rows and columns, less what is predicted (h, w); written or read."""


def steps(height: int, width: int) -> Iterator[int]:
    """The distances of samples in the grids, from coarse to fine: powers of two down to 1; none for a single sample."""
    step = 1
    while step < max(height, width):
        step *= 2
    while step > 1:
        step //= 2
        yield step


def groups_of(height: int, width: int) -> Iterator[int]:
    """The groups that have samples in a grid of this size, in the order of coding."""
    for group, ((top, left), _) in enumerate(GROUPS):
        if top < height and left < width:
            yield group


def walk(
    first: Sequence[int],
    shape: tuple[int, int],
    limits: Sequence[tuple[int, int]],
    coder: Coder,
    real: type[np.floating],
) -> list[Reals]:
    """The planes (H, W) of a shape: their first samples, and for all others what is predicted and the coder's
    difference from it.

    limits: the least and the largest sample of each plane. real: float32 where all sums of products are below 2^24,
    that is for samples of 8 bits, else float64: both are exact then.
    """
    planes = [np.full((1, 1), sample, real) for sample in first]
    missed = [np.zeros((1, 1), real) for _ in first]
    for step in steps(*shape):
        size = -(-shape[0] // step), -(-shape[1] // step)
        grids, misses = ([Grid(*size) for _ in first] for _ in range(2))
        for grid, known in zip((*grids, *misses), (*planes, *missed), strict=True):
            grid.put((0, 0), known)
        for group in groups_of(*size):
            before: list[Reals] = []
            for channel, (grid, miss) in enumerate(zip(grids, misses, strict=True)):
                place = Place(channel, group, min(1, step - 1))
                matrix = _matrix(coder.weights(place), channel).astype(real)
                predicted, activity = (np.empty(group_shape(group, *size), real) for _ in range(2))
                for around in neighbourhoods(grid, miss, before, group):
                    predicted[around.band] = predict(around, matrix, limits[channel])
                    activity[around.band] = around.activity
                error = coder.code(place, places_of(step, group), predicted, activity)
                grid.put(GROUPS[group][0], predicted + error)
                miss.put(GROUPS[group][0], np.abs(error))
                before.append(error)
        planes, missed = ([grid.whole() for grid in of] for of in (grids, misses))
    return planes


def places_of(step: int, group: int) -> tuple[slice, slice]:
    """Rows and columns of a group."""
    down, across = GROUPS[group][0]
    return slice(down * step, None, 2 * step), slice(across * step, None, 2 * step)


def group_shape(group: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns that a group has in a grid of this size."""
    top, left = GROUPS[group][0]
    return -(-(height - top) // 2), -(-(width - left) // 2)


def _matrix(weights: NDArray[np.int8], channel: int) -> NDArray[np.int64]:
    """Weights (CLASSES, place.weights) of what is known -> (CLASSES, pairs + channel) of the sums of pairs and of the
    errors of earlier channels, in units of 2^-(UNIT + 2) of a sample."""
    of_pairs, of_errors = np.split(weights.astype(np.int64), [weights.shape[1] - channel], axis=1)
    nearest = (1 << UNIT) - of_pairs.sum(1, keepdims=True)
    found = np.concatenate([nearest, 2 * of_pairs, 4 * of_errors], axis=1)
    found[:, 1] += nearest[:, 0]
    return found


def predict(around: Neighbourhood, matrix: Reals, limits: tuple[int, int]) -> Reals:
    """The samples (h, w) as the matrix predicts them."""
    known = around.known
    of_class = (matrix @ known.reshape(len(known), -1)).reshape(CLASSES, *known.shape[1:])
    found = of_class[0]
    for number, there in enumerate(around.along, 1):
        np.copyto(found, of_class[number], where=there)
    found *= 2.0 ** -(UNIT + 2)
    found += 0.5
    np.floor(found, out=found)
    return np.clip(found, *limits, out=found)


def neighbourhoods(
    grid: Grid, misses: Grid | None, before: Sequence[Reals], group: int, every: int = 1
) -> Iterator[Neighbourhood]:
    """Of the samples of a group in a grid, some rows at a time.

    misses: magnitudes of the errors in the grid. before: errors of earlier channels at these samples. every: more than
    1 leaves out others.
    """
    (top, left), pairs = GROUPS[group]
    height, width = group_shape(group, grid.height, grid.width)
    if (
        min(grid.height, grid.width) == 1
    ):  # there is nothing above and below, or on the sides: the other pair counts twice
        pairs = (pairs[grid.width == 1],) * len(pairs)
    count = max(1, _BAND // every // width)
    for first in range(0, height, count * every):
        band = slice(first, min(first + count, height))

        def at(of: Grid, down: int, across: int, band: slice = band) -> Reals:
            return of.at(2 * band.start + top + down, left + across, band.stop - band.start, width)

        known = np.empty((len(pairs) + len(before), band.stop - first, width), grid.parts[0, 0].dtype)
        for number, (y, x) in enumerate(pairs):
            np.add(at(grid, y, x), at(grid, -y, -x), out=known[number])
        one, two = (np.abs(at(grid, y, x) - at(grid, -y, -x)) for y, x in pairs[:2])
        around = np.zeros_like(one)
        for number, error in enumerate(before, len(pairs)):
            known[number] = error[band]
            around += np.abs(known[number])
        around *= 2
        if misses is not None:
            for y, x in pairs[:2]:
                around += at(misses, y, x)
                around += at(misses, -y, -x)
        yield Neighbourhood(band, known, one, two, around)
