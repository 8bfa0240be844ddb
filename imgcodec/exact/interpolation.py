"""Samples predicted from those around them, from a coarse grid to a fine one (`docs/format.md`, section 9.3).

    known                 group 0: centres      group 1: beside them   group 2: below them
    o   .   o   .         o   .   o   .         o   1   o   1          o   1   o   1
    .   .   .   .         .   0   .   0         .   0   .   0          2   0   2   0
    o   .   o   .         o   .   o   .         o   1   o   1          o   1   o   1
    .   .   .   .         .   0   .   0         .   0   .   0          2   0   2   0

So the distance of known samples is halved by three groups. All samples of a group are predicted at once, because none
of them takes part in the prediction of another: NumPy goes through a picture of any size in some tens of steps. One
function, `walk`, does it in both directions; what differs is the `Coder` that it asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.int32]

CLASSES = 3  # of neighbourhoods: no direction, alike along the first pair of neighbours, alike along the second
LEVELS = 2  # with weights of their own: the finest grid, and all others
UNIT = 7  # weights are in units of 2^-7
_BAND = 2**15  # samples that are predicted at a time, so that what is computed stays in the processor's cache
REACH = 3  # of the furthest neighbour

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


@dataclass(frozen=True)
class Neighbourhood:
    """What is known around some samples, in rows: those of a group in `band`, a slice of its rows.

    nearest: the sum of the four nearest samples (h, w). features: what weights are multiplied with (weights, h, w).
    kind: the class (h, w). activity: how much changes here (h, w), from 0.
    """

    band: slice
    nearest: Plane
    features: NDArray[Any]
    kind: NDArray[np.int64]
    activity: Plane


class Coder(Protocol):
    """What `walk` asks for the samples of a group of a channel in one grid."""

    def weights(self, place: Place) -> NDArray[np.int8]:
        """(CLASSES, place.weights)."""

    def code(self, place: Place, where: tuple[slice, slice], predicted: Plane, activity: Plane) -> Plane:
        """The samples of a plane, at these rows and columns, less what is predicted (h, w); written or read."""


def steps(height: int, width: int) -> Iterator[int]:
    """The distances of samples in the grids, from coarse to fine: powers of two down to 1; none for a single sample."""
    step = 1
    while step < max(height, width):
        step *= 2
    while step > 1:
        step //= 2
        yield step


def groups_of(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Step and number of all groups that have samples, in the order of coding."""
    for step in steps(*shape):
        for group, ((top, left), _) in enumerate(GROUPS):
            if top * step < shape[0] and left * step < shape[1]:
                yield step, group


def walk(planes: Sequence[Plane], limits: Sequence[tuple[int, int]], coder: Coder, real: type[np.floating]) -> None:
    """Goes through all samples but the first of each plane (H, W), which are 0 when it begins, and puts there what is
    predicted and the coder's difference from it.

    limits: the least and the largest sample of each plane. real: float32 where all sums of products are below 2^24,
    that is for samples of 8 bits, else float64: both are exact then.
    """
    errors = [np.zeros_like(plane) for plane in planes]
    for step, group in groups_of(planes[0].shape):
        where = places_of(step, group)
        before: list[Plane] = []
        for channel, (plane, misses) in enumerate(zip(planes, errors, strict=True)):
            place = Place(channel, group, min(1, step - 1))
            weights = coder.weights(place).astype(real)
            predicted, activity = (np.empty(plane[where].shape, np.int32) for _ in range(2))
            for around in neighbourhoods(plane[::step, ::step], misses[::step, ::step], before, place, real):
                predicted[around.band] = predict(around, weights).clip(*limits[channel])
                activity[around.band] = around.activity
            error = coder.code(place, where, predicted, activity)
            plane[where] = predicted + error
            misses[where] = np.abs(error)
            before.append(error)


def places_of(step: int, group: int) -> tuple[slice, slice]:
    """Rows and columns of a group."""
    down, across = GROUPS[group][0]
    return slice(down * step, None, 2 * step), slice(across * step, None, 2 * step)


def predict(around: Neighbourhood, weights: NDArray[np.floating]) -> Plane:
    """The samples (h, w) as weights (CLASSES, weights) predict them."""
    flat = around.features.reshape(len(around.features), -1)
    of_class = (weights @ flat).reshape(CLASSES, *around.kind.shape)
    change = np.choose(around.kind, of_class).astype(np.int32)
    return ((around.nearest << UNIT) + change + (2 << UNIT)) >> (UNIT + 2)


def neighbourhoods(
    grid: Plane,
    misses: Plane,
    before: Sequence[Plane],
    place: Place,
    real: type[np.floating],
    every: int = 1,
) -> Iterator[Neighbourhood]:
    """Of the samples of a group in a grid, some rows at a time.

    misses: magnitudes of the errors in the grid. before: errors of earlier channels at these samples. every: more than
    1 leaves out others.
    """
    (top, left), pairs = GROUPS[place.group]
    height, width = -(-(grid.shape[0] - top) // 2), -(-(grid.shape[1] - left) // 2)
    samples, missed = (np.pad(plane, REACH, mode="reflect") for plane in (grid, misses))
    if min(grid.shape) == 1:  # there is nothing above and below, or on the sides: the other pair counts twice
        pairs = (pairs[grid.shape[1] == 1],) * len(pairs)
    count = max(1, _BAND // every // width)
    for first in range(0, height, count * every):
        band = slice(first, min(first + count, height))

        def at(plane: Plane, down: int, across: int, band: slice = band) -> Plane:
            y, x = REACH + top + 2 * band.start + down, REACH + left + across
            return plane[y : y + 2 * (band.stop - band.start) - 1 : 2, x : x + 2 * width - 1 : 2]

        sums = [at(samples, y, x) + at(samples, -y, -x) for y, x in pairs]
        one, two = (np.abs(at(samples, y, x) - at(samples, -y, -x)) for y, x in pairs[:2])
        nearest = sums[0] + sums[1]
        features = np.empty((place.weights, *nearest.shape), real)
        for number, pair in enumerate(sums[1:]):
            features[number] = 2 * pair - nearest
        activity = one + two
        for y, x in pairs[:2]:
            activity += at(missed, y, x) + at(missed, -y, -x)
        for number, error in enumerate(before, len(sums) - 1):
            features[number] = 4 * error[band]
            activity += 2 * np.abs(error[band])
        kind = (2 * one + 1 < two) + 2 * (2 * two + 1 < one)
        yield Neighbourhood(band, nearest, features, kind, activity)
