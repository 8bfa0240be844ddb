"""The `photo` profile at work: any quality, tiles of 1024 pixels, tokens chosen by rate and distortion."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import QUALITY_UNIT, ColourMode, Header, Profile, Tune
from imgcodec.bitstream.sections import Section
from imgcodec.bitstream.token_sections import TileTokens
from imgcodec.profiles.photo.layout import LAYOUT
from imgcodec.profiles.photo.nets import PhotoNets, level_of
from imgcodec.profiles.photo.tile_coder import TILE_SIZE, TileCoder
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
from imgcodec.tokens import SamplingOptions, Stages, Tokens, check_shapes

if TYPE_CHECKING:
    from imgcodec.priors.photo.transformer import PhotoPrior
    from imgcodec.tokenizers.rvq import ResidualVQ

DEFAULT_QUALITY = 50.0

PRIOR_SHARE = 0.6
"""The part of the time that the prior and the coder take, about; the transforms take the others."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class PhotoCodec:
    """See `imgcodec.tokens.TokenCodec`. advance: see `watched`."""

    photo: PhotoNets
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
    def coder(self) -> TileCoder:
        """Of its tokens."""
        return TileCoder(self.photo)

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
            stage_count=len(STRIDES), codebook_id=self.id, first_calls=self.coder.first_calls,
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
            for _ in self.coder.choose(chosen, values, distortion_weight):
                pass
            tokens = refine(self.photo.in_torch(), chosen, pixels, values[1], effort, self.advance)
            return tokens, self.write(tokens)
        pieces = _told(analysis, piece_count(header.height, header.width), 1 - PRIOR_SHARE, self.advance)
        values, distortion_weight = self._latent(header, pieces)
        chosen = self._empty_tokens(header)
        recorded = self.coder.choose(chosen, values, distortion_weight)
        return chosen, self.coder.sections(header, _told(recorded, header.tile_count, PRIOR_SHARE, self.advance))

    def choose(self, header: Header, analysis: Iterable[Piece]) -> Tokens:
        """The tokens that `encode` writes with an effort of 1."""
        tokens = self._empty_tokens(header)
        for _ in self.coder.choose(tokens, *self._latent(header, analysis)):
            pass
        return tokens

    def _latent(
        self, header: Header, analysis: Iterable[Piece]
    ) -> tuple[list[NDArray[np.float16]], NDArray[np.float32]]:
        """The tokens before they are chosen, and the weight of errors (`imgcodec.profiles.photo.tiling`)."""
        size = (header.height, header.width)
        level, masked = level_of(self._config, header), header.tune == Tune.VISUAL
        return quantize_latent(self.photo.transforms, analysis, size, level, masked)

    def check(self, tokens: Tokens) -> None:
        """See `TokenCodec`."""
        LAYOUT.check(tokens.header)
        check_shapes(tokens.stages, self.coder.shapes(tokens.header), self._config.codes)

    def write(self, tokens: Tokens) -> list[Section]:
        """The sections of these tokens, unchanged."""
        return self.coder.sections(tokens.header, self.coder.record(tokens))

    def empty(self, header: Header) -> Stages:
        """Zero codewords in every position: they decode to flat gray."""
        return [np.full(shape, self._config.zero, np.int16) for shape in self.coder.shapes(header)]

    def read(self, header: Header, tiles: Sequence[int], data: Sequence[TileTokens], stages: Stages) -> None:
        """Each tile on its own."""
        self.coder.read(header, tiles, data, stages, advance=lambda share: self.advance(PRIOR_SHARE * share))

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
        return sum(place.slice < slices for place in self.coder.call_places(header))

    def decode_reduced(self, header: Header, tile: TileTokens, reduction: int) -> NDArray[np.uint8]:
        """See `PartialCodec`."""
        stages, size = self.empty(header), (header.height, header.width)
        self.coder.read(header, [0], [tile], stages, self._reduced_calls(header, reduction))
        return synthesise_reduced(self.photo.transforms, stages, size, level_of(self._config, header), reduction)

    def generate(self, count: int, size: tuple[int, int], sampling: SamplingOptions) -> list[Tokens]:
        """Raises UsageError: its prior was not trained to generate pictures."""
        raise UsageError(f"The model {self.name} does not generate pictures.")

    def _empty_tokens(self, header: Header) -> Tokens:
        return Tokens(header, self.empty(header))

    @property
    def _config(self) -> RVQConfig:
        return self.photo.transforms.config


def _told(items: Iterable[Item], count: int, share: float, advance: Callable[[float], None]) -> Iterator[Item]:
    """The same items; `advance` is called after the work on each of them, with its part of a share."""
    for item in items:
        yield item
        advance(share / count)
