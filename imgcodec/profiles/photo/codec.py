"""The `photo` profile at work: any quality, tiles of 1024 pixels, tokens chosen by rate and distortion."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import Int32s, Numbers
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import MAX_CALLS, QUALITY_UNIT, ColourMode, Header, Profile, Rectangle, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.bitstream.token_sections import Part, TileTokens, token_section
from imgcodec.engines import torch_repays
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
from imgcodec.profiles.photo.layout import LAYOUT
from imgcodec.profiles.photo.nets import PhotoNets, level_of
from imgcodec.profiles.photo.tiling import (
    Piece,
    analyse,
    piece_count,
    quantize_latent,
    synthesise,
    synthesise_reduced,
)
from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.rvq_config import STRIDES, RVQConfig
from imgcodec.tokens import Places, SamplingOptions, Stages, Tokens, check_shapes, stage_places

if TYPE_CHECKING:
    from imgcodec.priors.photo.transformer import PhotoPrior
    from imgcodec.tokenizers.rvq import ResidualVQ

TILE_SIZE = 1024
"""Pixels. No context crosses a tile's border: a damaged tile costs no other, and memory does not grow."""

DEFAULT_QUALITY = 50.0

SHARES = {1: 1, 2: 3}
"""By version of the format, the calls for the anchors of a slice, and for its non-anchors."""

SMALL_FILE = 20_000
"""Bytes of tokens. In a smaller file stage 1 of a tile is one section."""

MOST_SECTIONS = DEFAULT_LIMITS.sections // 2
"""Of tokens. A picture that could get more if its tiles were divided is so large that none is."""

PRIOR_SHARE = 0.6
"""The part of the time that the prior and the coder take, about; the transforms take the others."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Recorded = tuple[int, list[Call]]
"""The number of a tile, and its calls."""


@dataclass(frozen=True)
class PhotoCodec:
    """See `imgcodec.tokens.TokenCodec`. is_auto: whether the engine may change with the size of a picture. advance: see
    `watched`."""

    photo: PhotoNets
    is_auto: bool = False
    advance: Callable[[float], None] = field(default=lambda share: None, compare=False)

    @property
    def profile(self) -> Profile:
        return Profile.PHOTO

    @property
    def tokenizer(self) -> "ResidualVQ":
        return self.photo.in_torch().tokenizer

    @property
    def prior(self) -> "PhotoPrior":
        return self.photo.in_torch().prior

    @property
    def stage_count(self) -> int:
        return len(STRIDES)

    @property
    def strides(self) -> tuple[int, ...]:
        return STRIDES

    @property
    def scales(self) -> tuple[int, ...]:
        return (1,)

    @property
    def tunes(self) -> list[Tune]:
        return [Tune.PSNR, Tune.VISUAL] if self._config.visual else [Tune.PSNR]

    @property
    def has_qualities(self) -> bool:
        return True

    def call_places(self, header: Header) -> tuple[CallPlace, ...]:
        """The calls of a tile that has all of them, in files of the header's version."""
        return call_places(self.photo.prior_config.slices, SHARES[header.version])

    @property
    def name(self) -> str:
        return self.photo.name

    @property
    def id(self) -> bytes:
        return self.photo.id

    def header(
        self,
        size: tuple[int, int],
        quality: float | None,
        tune: Tune | None,
        colour_mode: ColourMode = ColourMode.RGB,
        bit_depth: int = 8,
    ) -> Header:
        """Quality 0..100, 50 by default; tune visual by default, where the model has it. Raises UsageError for another
        quality."""
        quality = DEFAULT_QUALITY if quality is None else quality
        if not 0 <= quality <= 100:
            raise UsageError(f"The quality is {quality:g}, and must be between 0 and 100.")
        return Header(
            width=size[0], height=size[1], colour_mode=colour_mode, bit_depth=bit_depth,
            profile=Profile.PHOTO, tune=self.tunes[-1] if tune is None else tune, quality=round(quality * QUALITY_UNIT),
            tile_size=TILE_SIZE if max(size) > TILE_SIZE else 0,
            stage_count=len(STRIDES), codebook_id=self.id, first_calls=self._first_calls,
        )  # fmt: skip

    def analyse(self, pixels: NDArray[np.uint8]) -> Iterator[Piece]:
        """The latent, in pieces, each computed when it is asked for."""
        return analyse(self.photo.transforms, pixels)

    def encode(
        self, header: Header, analysis: Iterable[Piece], pixels: NDArray[np.uint8], effort: int
    ) -> tuple[Tokens, list[Section]]:
        """The tokens of stage 1 are chosen while they are coded, by rate and distortion. With more effort they are
        then improved by gradients (`imgcodec.profiles.photo.refine`), and coded again."""
        if effort > 1:
            from imgcodec.profiles.photo.refine import refine

            values, distortion_weight = self._latent(header, analysis)
            chosen = self._empty_tokens(header)
            for _ in self._choose(chosen, values, distortion_weight):
                pass
            tokens = refine(self.photo.in_torch(), chosen, pixels, values[1], effort, self.advance)
            return tokens, self.write(tokens)
        pieces = _told(analysis, piece_count(header.height, header.width), 1 - PRIOR_SHARE, self.advance)
        values, distortion_weight = self._latent(header, pieces)
        chosen = self._empty_tokens(header)
        recorded = self._choose(chosen, values, distortion_weight)
        return chosen, self._sections(header, _told(recorded, header.tile_count, PRIOR_SHARE, self.advance))

    def choose(self, header: Header, analysis: Iterable[Piece]) -> Tokens:
        """The tokens that `encode` writes with an effort of 1."""
        tokens = self._empty_tokens(header)
        for _ in self._choose(tokens, *self._latent(header, analysis)):
            pass
        return tokens

    def _latent(
        self, header: Header, analysis: Iterable[Piece]
    ) -> tuple[list[NDArray[np.float16]], NDArray[np.float32]]:
        """The tokens before they are chosen, and the weight of errors (`imgcodec.profiles.photo.tiling`)."""
        size = (header.height, header.width)
        level, masked = level_of(self._config, header), header.tune == Tune.VISUAL
        return quantize_latent(self.photo.transforms, analysis, size, level, masked)

    def _choose(
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

    def check(self, tokens: Tokens) -> None:
        """See `TokenCodec`."""
        LAYOUT.check(tokens.header)
        places = _places(Rectangle(0, 0, tokens.header.width, tokens.header.height))
        shapes = [(g, y.stop, x.stop) for g, (y, x) in zip(self._config.channels, places, strict=True)]
        check_shapes(tokens.stages, shapes, self._config.codes)

    def write(self, tokens: Tokens) -> list[Section]:
        """The sections of these tokens, unchanged."""
        return self._sections(tokens.header, self.record(tokens))

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

    def _sections(self, header: Header, recorded: Iterable[Recorded]) -> list[Section]:
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

    def empty(self, header: Header) -> Stages:
        """Zero codewords in every position: they decode to flat gray."""
        whole = _places(Rectangle(0, 0, header.width, header.height))
        groups = self._config.channels
        return [
            np.full((g, y.stop, x.stop), self._config.zero, np.int16) for g, (y, x) in zip(groups, whole, strict=True)
        ]

    def read(self, header: Header, tiles: Sequence[int], data: Sequence[TileTokens], stages: Stages) -> None:
        """Each tile on its own."""
        self._read(header, tiles, data, stages)

    def _read(
        self,
        header: Header,
        tiles: Sequence[int],
        data: Sequence[TileTokens],
        stages: Stages,
        most_calls: int = MAX_CALLS,
    ) -> None:
        """most_calls: of a tile; the tokens of others are taken for zero."""

        def decode(tile: tuple[Places, TileTokens]) -> Stages:
            places, found = tile
            calls, parts = self._calls_of(header, found)
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
            self.advance(PRIOR_SHARE / header.tile_count)

    def _calls_of(self, header: Header, found: TileTokens) -> tuple[Sequence[CallPlace], Sequence[Part]]:
        """The calls that a tile has, and its parts as streams of calls. In version 1 parts are stages. Raises
        InvalidFileError for more calls than this model makes."""
        places = self.call_places(header)
        if header.version == 1:
            ends = (0, sum(place.stage == 0 for place in places), len(places))
            return places, [Part(ends[part.first], ends[part.end], part.data) for part in found.parts]
        if found.total is None or found.total > len(places):
            raise InvalidFileError(f"The file has a tile of over {len(places)} calls, which its model does not make.")
        return places[: found.total], found.parts

    def synthesise(self, tokens: Tokens, scale: int) -> NDArray[np.uint8]:
        """With the synthesis of the header's tune; `scale` is 1."""
        header = tokens.header

        def advance(share: float) -> None:
            self.advance((1 - PRIOR_SHARE) * share)

        size, level = (header.height, header.width), level_of(self._config, header)
        return synthesise(self.photo.transforms, tokens.stages, size, level, advance)

    def synthesise_blocks(self, tokens: Tokens, blocks: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """See `BlockCodec`."""
        header = tokens.header
        size, level = (header.height, header.width), level_of(self._config, header)
        return synthesise(self.photo.transforms, tokens.stages, size, level, wanted=blocks)

    def with_gradients(self) -> "PhotoCodec":
        """See `TokenCodec`."""
        photo = self.photo.in_torch()
        return self if photo is self.photo else replace(self, photo=photo)

    def for_size(self, width: int, height: int) -> "PhotoCodec":
        """See `TokenCodec`."""
        return self.with_gradients() if self.is_auto and torch_repays(width * height) else self

    def watched(self, advance: Callable[[float], None]) -> "PhotoCodec":
        """Pieces and tiles are told; with more effort, tiles that were improved, for all else takes little then."""
        return replace(self, advance=advance)

    def margin(self, header: Header) -> int:
        """See `PartialCodec`: what the synthesis reaches."""
        return self._config.synthesis_halo * BLOCK

    def reduced_end(self, header: Header, reduction: int) -> int:
        """Stage 0 at 64, and the first slice of stage 1 for what is larger: all others are about finer detail."""
        return self._reduced_calls(header, reduction) if header.version > 1 else 1 + (reduction < STRIDES[0])

    def _reduced_calls(self, header: Header, reduction: int) -> int:
        slices = len(self.photo.prior_config.slices[0]) + (reduction < STRIDES[0])
        return sum(place.slice < slices for place in self.call_places(header))

    def decode_reduced(self, header: Header, tile: TileTokens, reduction: int) -> NDArray[np.uint8]:
        """See `PartialCodec`."""
        stages, size = self.empty(header), (header.height, header.width)
        self._read(header, [0], [tile], stages, self._reduced_calls(header, reduction))
        return synthesise_reduced(self.photo.transforms, stages, size, level_of(self._config, header), reduction)

    def generate(self, count: int, size: tuple[int, int], sampling: SamplingOptions) -> list[Tokens]:
        """Raises UsageError: its prior was not trained to generate pictures."""
        raise UsageError(f"The model {self.name} does not generate pictures.")

    @property
    def _first_calls(self) -> int:
        """The calls of stage 0 in version 2, as a header says them; 0 where a tile has more calls than it can say."""
        places = call_places(self.photo.prior_config.slices, SHARES[2])
        return sum(place.stage == 0 for place in places) if len(places) <= MAX_CALLS else 0

    def _empty_tokens(self, header: Header) -> Tokens:
        return Tokens(header, self.empty(header))

    @property
    def _config(self) -> RVQConfig:
        return self.photo.transforms.config


def prior_quality(header: Header) -> int:
    """Quality and tune as one number, as the prior takes them."""
    return header.quality + header.tune * TUNE_UNITS


def _told(items: Iterable[Item], count: int, share: float, advance: Callable[[float], None]) -> Iterator[Item]:
    """The same items; `advance` is called after the work on each of them, with its part of a share."""
    for item in items:
        yield item
        advance(share / count)


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
