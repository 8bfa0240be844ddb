"""Samples as differences from what is predicted of them (`docs/format.md`, section 9.3): for all that is no drawing.

samples ──► planes: G, R - G, B - G ──► walk ──► differences ──► range coder
                                         ▲   └─► bins ──► tables ──┘
                  weights, in the data ──┘                 ▲
                                   in the data, for bins ──┘
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.cursor import Cursor
from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.exact import weights as fitting
from imgcodec.exact.interpolation import Place, Plane, Reals, walk
from imgcodec.exact.tables import BINS, COUNT, bins, cheapest, frequency_tables
from imgcodec.exact.weights import Weights

Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""(channels, H, W): gray, gray and alpha, RGB, or RGB and alpha."""

_FIRST_TABLE = 60  # of the first sample of each plane
_OUT_OF_RANGE = "The exact pixels are damaged: a sample is out of its range."
_FEWEST = 2**12  # samples for which weights are fitted: below that they hardly pay for themselves


def encode(samples: Samples) -> bytes:
    """The data of samples of any depth."""
    planes = _planes(samples)
    count, size = len(planes), planes[0].size
    weights = fitting.fit(planes) if size >= _FEWEST else {p: fitting.usual(p) for p in fitting.places(count)}
    recorder = _Recorder(weights, planes)
    first = [int(plane[0, 0]) for plane in planes]
    walk(first, planes[0].shape, _limits(count, samples.dtype), recorder, _real(samples.dtype))
    tables = [recorder.tables(channel) for channel in range(count)]
    coder = RangeEncoder(frequency_tables())
    coder.code(np.array(first), np.full(count, _FIRST_TABLE))
    for channel, bin, values in recorder.calls:
        coder.code(values, tables[channel][bin])
    return fitting.pack(weights, count) + b"".join(map(_pack_tables, tables)) + coder.finish()


def decode(data: bytes, shape: tuple[int, int, int], dtype: type[np.unsignedinteger]) -> Samples:
    """The inverse of `encode`, of samples of a shape. Raises InvalidFileError for data that no encoder makes."""
    cursor = Cursor(data)
    weights = fitting.unpack(cursor, shape[0])
    tables = [_unpack_tables(cursor) for _ in range(shape[0])]
    coder = RangeDecoder(frequency_tables(), cursor.take(cursor.left, "the samples"))
    limits = _limits(shape[0], dtype)
    first = coder.code(None, np.full(shape[0], _FIRST_TABLE)).tolist()
    if not all(low <= value <= high for value, (low, high) in zip(first, limits, strict=True)):
        raise InvalidFileError(_OUT_OF_RANGE)
    planes = walk(first, shape[1:], limits, _Reader(weights, tables, coder, limits), _real(dtype))
    return _samples(planes, dtype)


def _limits(channels: int, dtype: np.dtype | type) -> list[tuple[int, int]]:
    """The least and the largest sample of each plane."""
    most = int(np.iinfo(dtype).max)
    return [(-most if channels >= 3 and channel in (1, 2) else 0, most) for channel in range(channels)]


def _real(dtype: np.dtype | type) -> type[np.floating]:
    return np.float32 if np.dtype(dtype) == np.uint8 else np.float64


def _planes(samples: Samples) -> list[Plane]:
    """Of RGB the green, and what red and blue differ from it; all others unchanged."""
    planes = [plane.astype(np.int32) for plane in samples]
    if len(planes) < 3:
        return planes
    red, green, blue, *alpha = planes
    return [green, red - green, blue - green, *alpha]


def _samples(planes: list[Reals], dtype: type[np.unsignedinteger]) -> Samples:
    if len(planes) >= 3:
        green, red, blue, *alpha = planes
        planes = [red + green, green, blue + green, *alpha]
    found = np.stack(planes)
    if found.min() < 0 or found.max() > np.iinfo(dtype).max:
        raise InvalidFileError(_OUT_OF_RANGE)
    return found.astype(dtype)


@dataclass
class _Recorder:
    """Finds the differences of samples from what is predicted, and keeps them with their bins."""

    fitted: Weights
    planes: list[Plane]
    calls: list[tuple[int, NDArray[np.uint8], Plane]] = field(default_factory=list)

    def weights(self, place: Place) -> NDArray[np.int8]:
        return self.fitted[place]

    def code(self, place: Place, where: tuple[slice, slice], predicted: Reals, activity: Reals) -> Reals:
        error = self.planes[place.channel][where] - predicted
        self.calls.append((place.channel, bins(activity).ravel(), error.astype(np.int32).ravel()))
        return error

    def tables(self, channel: int) -> NDArray[np.uint8]:
        """Those that take the fewest bits."""
        found = [(bin, values) for of, bin, values in self.calls if of == channel]
        if not found:
            return np.zeros(BINS, np.uint8)
        return cheapest(*map(np.concatenate, zip(*found, strict=True)))


@dataclass
class _Reader:
    """Reads the differences of samples from what is predicted."""

    fitted: Weights
    tables: list[NDArray[np.uint8]]
    coder: RangeDecoder
    limits: list[tuple[int, int]]

    def weights(self, place: Place) -> NDArray[np.int8]:
        return self.fitted[place]

    def code(self, place: Place, where: tuple[slice, slice], predicted: Reals, activity: Reals) -> Reals:
        table = self.tables[place.channel][bins(activity)]
        error = self.coder.code(None, table.ravel()).reshape(predicted.shape)
        found = error + predicted.astype(np.float64)  # a damaged file may have differences of 32 bits
        low, high = self.limits[place.channel]
        if found.min() < low or found.max() > high:
            raise InvalidFileError(_OUT_OF_RANGE)
        return error.astype(predicted.dtype)


def _pack_tables(tables: NDArray[np.uint8]) -> bytes:
    """How many bins have a table of their own, up to the last that differs from the one before; and these."""
    differs = np.flatnonzero(np.diff(tables))
    count = int(differs[-1]) + 2 if differs.size else 1
    return bytes([count]) + tables[:count].tobytes()


def _unpack_tables(cursor: Cursor) -> NDArray[np.uint8]:
    count = cursor.integer(1, "the tables")
    found = np.frombuffer(cursor.take(count, "the tables"), np.uint8)
    if not 1 <= count <= BINS or found.max() >= COUNT:
        raise InvalidFileError("The exact pixels are damaged: they ask for a table that there is not.")
    return np.pad(found, (0, BINS - count), mode="edge")
