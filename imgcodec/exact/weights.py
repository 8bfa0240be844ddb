"""Weights of predictions, fitted to a picture by least squares (`docs/format.md`, section 9.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.cursor import Cursor
from imgcodec.exact.interpolation import (
    CLASSES,
    GROUPS,
    LEVELS,
    UNIT,
    Grid,
    Place,
    Plane,
    Reals,
    group_shape,
    groups_of,
    neighbourhoods,
    steps,
)

Weights = dict[Place, NDArray[np.int8]]
"""For each place (CLASSES, place.weights)."""

_MANY = 2**14  # samples of a group, of which no more than about these are looked at


def places(channels: int) -> Iterator[Place]:
    """All places, in the order in which a file has their weights."""
    for channel in range(channels):
        for group in range(len(GROUPS)):
            for level in range(LEVELS):
                yield Place(channel, group, level)


def usual(place: Place) -> NDArray[np.int8]:
    """The weights of a place where a file has none: most of the pair that is alike, and nothing but the nearest."""
    weights = np.zeros((CLASSES, place.weights), np.int8)
    weights[1, 0], weights[2, 0] = -96, 96
    return weights


def pack(weights: Weights, channels: int) -> bytes:
    """A bit for each class of each place, whether its weights are not the usual ones; then those that are not."""
    rows = [row for place in places(channels) for row in weights[place]]
    of_file = [row for place in places(channels) for row in usual(place)]
    differ = [bool((row != other).any()) for row, other in zip(rows, of_file, strict=True)]
    sent = (row.tobytes() for row, differs in zip(rows, differ, strict=True) if differs)
    return np.packbits(differ, bitorder="little").tobytes() + b"".join(sent)


def unpack(cursor: Cursor, channels: int) -> Weights:
    """The inverse of `pack`. Raises InvalidFileError where the data end before."""
    count = channels * len(GROUPS) * LEVELS * CLASSES
    flags = np.unpackbits(np.frombuffer(cursor.take(-(-count // 8), "the weights"), np.uint8), bitorder="little")
    found, number = {place: usual(place) for place in places(channels)}, 0
    for place, rows in found.items():
        for kind in range(CLASSES):
            if flags[number]:
                rows[kind] = np.frombuffer(cursor.take(place.weights, "the weights"), np.int8)
            number += 1
    return found


@dataclass
class _Squares:
    """Sums over the samples of a class at a place: of products of features, of features and what they are to give, of
    the squares of that; and how many samples there were."""

    products: NDArray[np.float64]
    targets: NDArray[np.float64]
    energy: float = 0.0
    count: int = 0

    def add(self, features: NDArray[np.float64], wanted: NDArray[np.float64], trust: NDArray[np.float64]) -> None:
        weighted = features * trust
        self.products += weighted @ features.T
        self.targets += weighted @ wanted
        self.energy += float((wanted * wanted * trust).sum())
        self.count += len(wanted)

    def error(self, weights: NDArray[np.float64]) -> float:
        found = self.energy - 2 * weights @ self.targets + weights @ self.products @ weights
        return max(1e-9, float(found))

    def best(self, usual: NDArray[np.int8]) -> NDArray[np.int8]:
        """The weights with the least error, or the usual ones where those would not pay for their bytes."""
        size = len(self.targets)
        ridge = np.eye(size) * (1e-3 * np.trace(self.products) / size + 1e-6)
        found = np.linalg.solve(self.products + ridge, self.targets)
        fitted = np.clip(np.rint(found * 2**UNIT), -128, 127)
        gain = np.log2(self.error(usual / 2**UNIT) / self.error(fitted / 2**UNIT)) * self.count / 2
        return fitted.astype(np.int8) if gain > 8 * size else usual


def fit(planes: Sequence[Plane]) -> Weights:
    """The weights for these planes (H, W)."""
    sums = {
        (place, kind): _Squares(np.zeros((place.weights,) * 2), np.zeros(place.weights))
        for place in places(len(planes))
        for kind in range(CLASSES)
    }
    for step in steps(*planes[0].shape):
        size = -(-planes[0].shape[0] // step), -(-planes[0].shape[1] // step)
        grids = [Grid(*size) for _ in planes]
        for grid, plane in zip(grids, planes, strict=True):
            for first in ((0, 0), *(GROUPS[group][0] for group in groups_of(*size))):
                grid.put(first, plane[first[0] * step :: 2 * step, first[1] * step :: 2 * step].astype(np.float64))
        for group in groups_of(*size):
            before: list[Reals] = []
            for channel, grid in enumerate(grids):
                place = Place(channel, group, min(1, step - 1))
                samples = grid.at(*GROUPS[group][0], *group_shape(group, *size))
                error = np.zeros_like(samples)
                every = max(1, samples.size // _MANY)
                for around in neighbourhoods(grid, None, before, group, every):
                    pairs, errors = np.split(around.known, [len(around.known) - channel])
                    nearest = pairs[0] + pairs[1]
                    wanted = 4 * samples[around.band] - nearest
                    error[around.band] = np.floor((wanted + 2) / 4)
                    features = np.concatenate([2 * pairs[1:] - nearest, 4 * errors])
                    trust = 1 / (1.0 + around.activity)
                    one, two = around.along
                    for kind, here in enumerate((~(one | two), one, two)):
                        sums[place, kind].add(features[:, here], wanted[here], trust[here])
                before.append(error)
    return {
        place: np.stack([sums[place, kind].best(usual(place)[kind]) for kind in range(CLASSES)])
        for place in places(len(planes))
    }
