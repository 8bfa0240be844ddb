"""Tokens of the tiles of a `photo` picture to sections of a file and back. Tiles are coded side by side, and none knows
of another."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import Int32s, Numbers
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import MAX_CALLS, Header, Rectangle
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.bitstream.token_sections import Part, TileTokens, token_section
from imgcodec.parallel import MOST, side_by_side
from imgcodec.priors.integer.constants import TUNE_UNITS
from imgcodec.priors.photo.coding import CallPlace, call_places, calls_in_use, code_tile
from imgcodec.priors.photo.rdoq import RDOQuantizer, may_be_worth, round_values
from imgcodec.priors.photo.streams import (
    PART_BYTES,
    Call,
    CallReader,
    CallRecorder,
    Quantizer,
    write_parts,
)
from imgcodec.profiles.photo.nets import PhotoNets
from imgcodec.tokenizers.rvq_config import STRIDES, RVQConfig
from imgcodec.tokens import Places, Stages, Tokens, stage_places

TILE_SIZE = 1024
"""Pixels. No context crosses a tile's border: a damaged tile costs no other, and memory does not grow."""

SHARES = {1: 1, 2: 3}
"""By version of the format, the calls for the anchors of a slice, and for its non-anchors."""

SMALL_FILE = 20_000
"""Bytes of tokens. In a smaller file stage 1 of a tile is one section."""

MOST_SECTIONS = DEFAULT_LIMITS.sections // 2
"""Of tokens. A picture that could get more if its tiles were divided is so large that none is."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Recorded = tuple[int, list[Call]]
"""The number of a tile, and its calls."""


@dataclass(frozen=True)
class TileCoder:
    """With the prior and the tables of a model."""

    photo: PhotoNets

    def call_places(self, header: Header) -> tuple[CallPlace, ...]:
        """The calls of a tile that has all of them, in files of the header's version."""
        return call_places(self.photo.prior_config.slices, SHARES[header.version])

    @property
    def first_calls(self) -> int:
        """The calls of stage 0 in version 2, as a header says them; 0 where a tile has more calls than it can say."""
        places = call_places(self.photo.prior_config.slices, SHARES[2])
        return sum(place.stage == 0 for place in places) if len(places) <= MAX_CALLS else 0

    def shapes(self, header: Header) -> list[tuple[int, int, int]]:
        """Of each stage of a picture: groups, rows, columns."""
        whole = _places(Rectangle(0, 0, header.width, header.height))
        return [(g, y.stop, x.stop) for g, (y, x) in zip(self._config.channels, whole, strict=True)]

    def choose(
        self, tokens: Tokens, values: list[NDArray[np.float16]], distortion_weight: NDArray[np.float32]
    ) -> Iterator[Recorded]:
        """Chooses tokens for real values, tile by tile, and puts them into `tokens`."""
        tables, slices = self.photo.tables, self.photo.prior_config.slices[1]

        def choose(places: Places) -> tuple[Stages, list[Call]]:
            y, x = places[1]
            # stage 0 is rounded already: stage 1 is its residual
            rdoq = RDOQuantizer(tables, slices, distortion_weight[y, x], SHARES[tokens.header.version])
            quantizers = [rdoq.quantize if call.stage else round_values for call in self.call_places(tokens.header)]
            tile = _in(values, places)
            worth = [np.abs(tile[0]) > 0.5, may_be_worth(tile[1], slices, distortion_weight[y, x])]
            return self._code(tokens.header, tile, quantizers, worth)

        tiles = self._tiles(tokens.header)
        chosen = self._side_by_side(tokens.header, choose, tiles)
        for index, (places, (done, calls)) in enumerate(zip(tiles, chosen, strict=True)):
            _put(done, tokens.stages, places)
            yield index, calls

    def record(self, tokens: Tokens) -> Iterator[Recorded]:
        """The calls of these tokens, tile by tile."""
        stages = [s.astype(np.int16, copy=False) for s in tokens.stages]

        def calls_of(places: Places) -> list[Call]:
            tile = _in(stages, places)
            return self._code(tokens.header, tile, repeat(_unchanged), [t != self._config.zero for t in tile])[1]

        yield from enumerate(self._side_by_side(tokens.header, calls_of, self._tiles(tokens.header)))

    def _code(
        self, header: Header, tile: Stages, quantizers: Iterable[Quantizer], is_used: Sequence[NDArray[np.bool_]]
    ) -> tuple[Stages, list[Call]]:
        """The tokens of a tile, or real numbers of which they are made, -> the tokens, and their calls up to the last
        that is not all zeros; in version 1 a tile has all calls. is_used: which tokens may not be zero."""
        places = self.call_places(header)
        recorder, sizes, quality = CallRecorder(quantizers), [t.shape[1:] for t in tile], prior_quality(header)
        in_use = places[: calls_in_use(places, is_used)] if header.version > 1 else places
        done = code_tile(
            self.photo.prior_config, self.photo.walk, recorder, sizes, quality, tile, self._config.zero, in_use
        )
        count = calls_in_use(in_use, [t != self._config.zero for t in done]) if header.version > 1 else len(places)
        return done, recorder.calls[:count]

    def sections(self, header: Header, recorded: Iterable[Recorded]) -> list[Section]:
        """The sections of tiles. Large tiles get several for stage 1, unless the whole picture is small: then these are
        made one again."""
        places = self.call_places(header)
        if header.version == 1:
            coarse_calls = sum(place.stage == 0 for place in places)
            return [
                Section(SectionType.TOKENS, stage, tile, part.data)
                for tile, calls in recorded
                for stage, part in enumerate(self._parts(calls, coarse_calls, math.inf))
            ]
        is_divided = header.tile_count * len(places) <= MOST_SECTIONS
        parts: dict[int, list[Part]] = {}
        divided: list[Recorded] = []  # a few at most: each has PART_BYTES, and they are needed up to SMALL_FILE alone
        size = 0
        for tile, calls in recorded:
            parts[tile] = self._parts(calls, header.first_calls, PART_BYTES if is_divided else math.inf)
            size += sum(len(part.data) for part in parts[tile])
            divided = [*divided, (tile, calls)] if size < SMALL_FILE and len(parts[tile]) > 2 else divided
            divided = divided if size < SMALL_FILE else []
        for tile, calls in divided:
            parts[tile] = self._parts(calls, header.first_calls, math.inf)
        return [token_section(tile, part, of_tile[-1].end) for tile, of_tile in parts.items() for part in of_tile]

    def _parts(self, calls: list[Call], first_calls: int, part_bytes: float) -> list[Part]:
        return write_parts(self.photo.tables, calls, first_calls, part_bytes)

    def _side_by_side(self, header: Header, work: Callable[[Item], Result], tiles: Sequence[Item]) -> Iterator[Result]:
        """The results of all tiles; one at a time where they are larger than those made here, and take more memory."""
        return side_by_side(work, tiles, self.photo.transforms.threads, MOST if header.tile_size <= TILE_SIZE else 1)

    def _tiles(self, header: Header) -> list[Places]:
        """The rows and columns of each stage's tokens, of each tile."""
        return [_places(header.tile_rectangle(index)) for index in range(header.tile_count)]

    def read(
        self,
        header: Header,
        tiles: Sequence[int],
        data: Sequence[TileTokens],
        stages: Stages,
        most_calls: int = MAX_CALLS,
        advance: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Tokens of tiles, whose numbers these are, into their places in all stages. most_calls: of a tile; the tokens
        of others are taken for zero. advance: is told the share of the picture after each tile. Raises InvalidFileError
        for more calls than this model makes."""

        def decode(tile: tuple[Places, TileTokens]) -> Stages:
            places, found = tile
            calls, parts = self.calls_of(header, found)
            calls = calls[:most_calls]
            reader = CallReader(self.photo.tables, parts)
            sizes = [(y.stop - y.start, x.stop - x.start) for y, x in places]
            return code_tile(
                self.photo.prior_config, self.photo.walk, reader, sizes, prior_quality(header), None,
                self._config.zero, calls,
            )  # fmt: skip

        wanted = [(_places(header.tile_rectangle(index)), found) for index, found in zip(tiles, data, strict=True)]
        for (places, _), tokens in zip(wanted, self._side_by_side(header, decode, wanted), strict=True):
            _put(tokens, stages, places)
            advance(1 / header.tile_count)

    def calls_of(self, header: Header, found: TileTokens) -> tuple[Sequence[CallPlace], Sequence[Part]]:
        """The calls that a tile has, and its parts as streams of calls. In version 1 parts are stages. Raises
        InvalidFileError for more calls than this model makes."""
        places = self.call_places(header)
        if header.version == 1:
            ends = (0, sum(place.stage == 0 for place in places), len(places))
            return places, [Part(ends[part.first], ends[part.end], part.data) for part in found.parts]
        if found.total is None or found.total > len(places):
            raise InvalidFileError(f"The file has a tile of over {len(places)} calls, which its model does not make.")
        return places[: found.total], found.parts

    @property
    def _config(self) -> RVQConfig:
        return self.photo.transforms.config


def prior_quality(header: Header) -> int:
    """Quality and tune as one number, as the prior takes them."""
    return header.quality + header.tune * TUNE_UNITS


def _places(tile: Rectangle) -> Places:
    return stage_places(tile, STRIDES)


def _in(stages: Stages, places: Places) -> Stages:
    """The part of each stage that lies in these rows and columns."""
    return [s[:, y, x] for s, (y, x) in zip(stages, places, strict=True)]


def _put(tile: Stages, stages: Stages, places: Places) -> None:
    """Puts a tile's tokens into these rows and columns of each stage."""
    for stage, (y, x), tokens in zip(stages, places, tile, strict=True):
        stage[:, y, x] = tokens


def _unchanged(values: Numbers, table: NDArray[np.integer]) -> Int32s:
    return values.astype(np.int32, copy=False)
