"""The `photo` profile at work: any quality, tiles of 1024 pixels, tokens chosen by rate and distortion."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import QUALITY_UNIT, ColourMode, Header, Profile, Rectangle, Tune
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.priors.integer.exact import TUNE_UNITS, exact_arithmetic
from imgcodec.priors.photo.coding import Coder, code_tile
from imgcodec.priors.photo.rdoq import RDOQEncoder, RDOQuantizer, Rounder
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.layout import LAYOUT
from imgcodec.profiles.photo.model import PhotoModel
from imgcodec.profiles.photo.tiling import Piece, analyse, quantize_latent, synthesise
from imgcodec.tokenizers.rvq import STRIDES, ResidualVQ
from imgcodec.tokens import Places, SamplingOptions, Stages, Tokens, check_shapes, stage_places

TILE_SIZE = 1024
"""Pixels. No context crosses a tile's border: a damaged tile costs no other, and memory does not grow."""

DEFAULT_QUALITY = 50.0

AnyCoder = TypeVar("AnyCoder", bound=Coder)


@dataclass(frozen=True)
class PhotoCodec:
    """See `imgcodec.tokens.TokenCodec`."""

    photo: PhotoModel

    @property
    def profile(self) -> Profile:
        return Profile.PHOTO

    @property
    def tokenizer(self) -> ResidualVQ:
        return self.photo.tokenizer

    @property
    def prior(self) -> PhotoPrior:
        return self.photo.prior

    @property
    def stage_count(self) -> int:
        return len(STRIDES)

    @property
    def strides(self) -> tuple[int, ...]:
        return STRIDES

    @property
    def is_grouped(self) -> bool:
        return True

    @property
    def scales(self) -> tuple[int, ...]:
        return (1,)

    @property
    def tunes(self) -> list[Tune]:
        return [Tune.PSNR] if self.photo.tokenizer.visual is None else [Tune.PSNR, Tune.VISUAL]

    @property
    def has_qualities(self) -> bool:
        return True

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
            stage_count=len(STRIDES), codebook_id=self.id,
        )  # fmt: skip

    def analyse(self, pixels: NDArray[np.uint8]) -> Iterator[Piece]:
        """The latent, in pieces, each computed when it is asked for."""
        return analyse(self.photo.tokenizer, pixels, self.photo.device)

    def encode(
        self, header: Header, analysis: Iterable[Piece], pixels: NDArray[np.uint8], effort: int
    ) -> tuple[Tokens, list[Section]]:
        """The tokens of stage 1 are chosen while they are written, by rate and distortion. With more effort they are
        chosen first, then improved by gradients (`imgcodec.profiles.photo.refine`), then written."""
        values, distortion_weight = self._latent(header, analysis)
        if effort > 1:
            from imgcodec.profiles.photo.refine import refine

            tokens = refine(self.photo, self._choose(header, values, distortion_weight), pixels, values[1], effort)
            return tokens, self.write(tokens)
        tables, slices = self.photo.tables, self.photo.prior.config.slices

        def coder(stage: int, region: tuple[slice, slice]) -> RangeEncoder:
            # stage 0 is rounded already: stage 1 is its residual
            return RDOQEncoder(tables, slices[stage], distortion_weight[region]) if stage else RangeEncoder(tables)

        tokens, coders = self._code(header, values, coder)
        return tokens, _sections(coders)

    def choose(self, header: Header, analysis: Iterable[Piece]) -> Tokens:
        """The tokens that `encode` writes with an effort of 1."""
        return self._choose(header, *self._latent(header, analysis))

    def _latent(
        self, header: Header, analysis: Iterable[Piece]
    ) -> tuple[list[NDArray[np.float16]], NDArray[np.float32]]:
        """The tokens before they are chosen, and the weight of errors (`imgcodec.profiles.photo.tiling`)."""
        size = (header.height, header.width)
        with exact_arithmetic():  # no TF32: it would cost more than a grey level
            return quantize_latent(
                self.photo.tokenizer, analysis, size, self.photo.level(header), masked=header.tune == Tune.VISUAL
            )

    def _choose(
        self, header: Header, values: list[NDArray[np.float16]], distortion_weight: NDArray[np.float32]
    ) -> Tokens:
        tables, slices = self.photo.tables, self.photo.prior.config.slices

        def coder(stage: int, region: tuple[slice, slice]) -> RDOQuantizer | Rounder:
            return RDOQuantizer(tables, slices[stage], distortion_weight[region]) if stage else Rounder()

        return self._code(header, values, coder)[0]

    def check(self, tokens: Tokens) -> None:
        """See `TokenCodec`."""
        LAYOUT.check(tokens.header)
        places = _places(Rectangle(0, 0, tokens.header.width, tokens.header.height))
        shapes = [(g, y.stop, x.stop) for g, (y, x) in zip(self.photo.tokenizer.config.channels, places, strict=True)]
        check_shapes(tokens.stages, shapes, self.photo.tokenizer.config.codes)

    def write(self, tokens: Tokens) -> list[Section]:
        """The sections of these tokens, unchanged."""
        stages = [s.astype(np.int16, copy=False) for s in tokens.stages]
        return _sections(self._code(tokens.header, stages, lambda *_: RangeEncoder(self.photo.tables))[1])

    def _code(
        self, header: Header, stages: Stages, coder: Callable[[int, tuple[slice, slice]], AnyCoder]
    ) -> tuple[Tokens, list[list[AnyCoder]]]:
        """Tokens, or real numbers for coders that round them, -> tokens, and the coders of each tile's stages.

        coder: makes the encoder of a stage for the rows and columns of a tile in it.
        """
        coded, all_coders = [np.empty(s.shape, np.int16) for s in stages], []
        for index in range(header.tile_count):
            places = _places(header.tile_rectangle(index))
            coders = [coder(stage, place) for stage, place in enumerate(places)]
            tile = [s[:, y, x] for s, (y, x) in zip(stages, places, strict=True)]
            with exact_arithmetic():
                done = code_tile(
                    self.photo.prior, coders, [t.shape[1:] for t in tile], prior_quality(header), tile, self._zero
                )
            for stage, (y, x), tokens in zip(coded, places, done, strict=True):
                stage[:, y, x] = tokens
            all_coders.append(coders)
        return Tokens(header, coded), all_coders

    def empty(self, header: Header) -> Stages:
        """Zero codewords in every position: they decode to flat gray."""
        whole = _places(Rectangle(0, 0, header.width, header.height))
        groups = self.photo.tokenizer.config.channels
        return [np.full((g, y.stop, x.stop), self._zero, np.int16) for g, (y, x) in zip(groups, whole, strict=True)]

    def read(self, header: Header, tiles: Sequence[int], data: Sequence[Sequence[bytes]], stages: Stages) -> None:
        """One tile after the other, on its own."""
        for index, streams in zip(tiles, data, strict=True):
            coders = [RangeDecoder(self.photo.tables, stream) for stream in streams]
            places = _places(header.tile_rectangle(index))
            sizes = [(y.stop - y.start, x.stop - x.start) for y, x in places]
            with exact_arithmetic():
                tile = code_tile(self.photo.prior, coders, sizes, prior_quality(header), None, self._zero)
            for stage, (y, x), tokens in zip(stages, places, tile, strict=False):
                stage[:, y, x] = tokens

    def synthesise(self, tokens: Tokens, scale: int) -> NDArray[np.uint8]:
        """With the synthesis of the header's tune; `scale` is 1."""
        header, tokenizer = tokens.header, self.photo.tokenizer
        synthesis = self.photo.synthesis(header.tune)
        size = (header.height, header.width)
        with exact_arithmetic():
            return synthesise(tokenizer, synthesis, tokens.stages, size, self.photo.level(header), self.photo.device)

    def generate(self, count: int, size: tuple[int, int], sampling: SamplingOptions) -> list[Tokens]:
        """Raises UsageError: its prior was not trained to generate pictures."""
        raise UsageError(f"The model {self.name} does not generate pictures.")

    @property
    def _zero(self) -> int:
        return self.photo.tokenizer.config.codes // 2


def _sections(coders: list[list[RangeEncoder]]) -> list[Section]:
    """The sections of the encoders of each tile's stages."""
    return [
        Section(SectionType.TOKENS, stage, tile, encoder.finish())
        for tile, encoders in enumerate(coders)
        for stage, encoder in enumerate(encoders)
    ]


def prior_quality(header: Header) -> int:
    """Quality and tune as one number, as the prior takes them."""
    return header.quality + header.tune * TUNE_UNITS


def _places(tile: Rectangle) -> Places:
    return stage_places(tile, STRIDES)
