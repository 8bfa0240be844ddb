"""The calls of a tile as streams of the range coder: recorded, divided into parts of a file, written and read.

    code_tile ──► CallRecorder ──► calls ──► write_parts ──► parts ──► CallReader ──► code_tile

Calls are recorded before any is written, because only then it is
known which of them hold nothing but zeros, and how many bytes the others take.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import FrequencyTables, Int32s, Numbers, RangeDecoder, RangeEncoder
from imgcodec.bitstream.token_sections import Part

PART_BYTES = 3500
"""Stage 1 of a tile has one part, and one more for each time that it has so many bytes. A section takes 10 bytes
besides its data, its stream about one more than if it went on: 0.3 % in all."""

BYTES_OF_VALUE = 0.45
"""A value of 1 or -1 takes 3.3 to 4.5 bits, with the zeros around it, at any quality; a larger one its logarithm
more."""

Quantizer = Callable[[Numbers, NDArray[np.integer]], Int32s]
"""Values of a call, perhaps real numbers, and the table of each -> the integers to be written."""


@dataclass(frozen=True, eq=False)
class Call:
    """The values of a call (n,) and the table of each."""

    values: Int32s
    table: NDArray[np.integer]


class CallRecorder:
    """Quantizes the values of each call, and keeps them."""

    def __init__(self, quantizers: Iterable[Quantizer]) -> None:
        """quantizers: for each call, in order."""
        self.calls: list[Call] = []
        self._quantizers = iter(quantizers)

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s:
        """Returns the values as they are kept."""
        assert values is not None
        chosen = next(self._quantizers)(values, table)
        self.calls.append(Call(chosen, table))
        return chosen


class CallReader:
    """Reads the calls of the parts, one after the other. Behind the last part it knows nothing."""

    def __init__(self, tables: FrequencyTables, parts: Iterable[Part]) -> None:
        self._decoders = self._of_calls(tables, parts)

    @staticmethod
    def _of_calls(tables: FrequencyTables, parts: Iterable[Part]) -> Iterator[RangeDecoder]:
        for part in parts:
            decoder = RangeDecoder(tables, part.data)
            yield from (decoder for _ in range(part.first, part.end))

    def code(self, values: Numbers | None, table: NDArray[np.integer]) -> Int32s | None:
        """The values of the next call; None where it is in none of the parts."""
        decoder = next(self._decoders, None)
        return None if decoder is None else decoder.code(None, table)


def write_parts(tables: FrequencyTables, calls: Sequence[Call], first_calls: int, part_bytes: float) -> list[Part]:
    """The parts of calls: the first has `first_calls` of them or all; the others are one, and one more for each
    `part_bytes` that they have, all about equally large."""
    parts, start = [], 0
    for end in _ends(calls, first_calls, part_bytes):
        encoder = RangeEncoder(tables)
        for call in calls[start:end]:
            encoder.code(call.values, call.table)
        parts.append(Part(start, end, encoder.finish()))
        start = end
    return parts


def _ends(calls: Sequence[Call], first_calls: int, part_bytes: float) -> list[int]:
    """The calls behind each part. Bytes are estimated, so that all is written once."""
    first = min(first_calls, len(calls))
    sizes = np.cumsum([0.0, *(_estimated_bytes(call.values) for call in calls[first:])])
    count = 1 + int(sizes[-1] // part_bytes)
    targets = sizes[-1] * np.arange(1, count) / count
    # the nearest end of a call: the first calls of a smooth picture are larger than a part, and each is one alone
    cuts = first + np.abs(sizes[:, None] - targets).argmin(0)
    return sorted({first, *cuts.tolist(), len(calls)})


def _estimated_bytes(values: Int32s) -> float:
    magnitudes = np.abs(values[values != 0].astype(np.float64))
    return BYTES_OF_VALUE * len(magnitudes) + float(np.log2(magnitudes).sum()) / 8
