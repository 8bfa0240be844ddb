"""The `exact` profile at work: its tokens are the samples of the picture, one stage of them, a group a channel."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import CODEBOOK_ID_BYTES, ColourMode, Header, Profile, Tune
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.bitstream.token_sections import TileTokens
from imgcodec.pictures.modes import narrowed
from imgcodec.profiles.exact.layout import LAYOUT
from imgcodec.speed import keep_freed_memory
from imgcodec.tokens import SamplingOptions, Stages, Tokens, check_one_rate, check_shapes

TILE_SIZE = 2048
"""Pixels: large, because drawings repeat themselves."""

CHANNELS = {ColourMode.GRAY: 1, ColourMode.GRAY_ALPHA: 2, ColourMode.RGB: 3, ColourMode.RGB_ALPHA: 4}


@dataclass(frozen=True)
class ExactCodec:
    """See `imgcodec.tokens.TokenCodec`. It has no weights. advance: see `watched`."""

    advance: Callable[[float], None] = field(default=lambda share: None, compare=False)

    name = "exact"
    id = bytes(CODEBOOK_ID_BYTES)
    profile = Profile.EXACT
    stage_count = 1
    strides = (1,)
    scales = (1,)
    has_qualities = False

    @property
    def tunes(self) -> list[Tune]:
        return [Tune.PSNR]

    @property
    def tokenizer(self) -> Any:
        raise UsageError("Exact files have no tokenizer: their tokens are the samples.")

    @property
    def prior(self) -> Any:
        raise UsageError("Exact files have no prior.")

    def header(
        self,
        size: tuple[int, int],
        quality: float | None,
        tune: Tune | None,
        colour_mode: ColourMode = ColourMode.RGB,
        bit_depth: int = 8,
    ) -> Header:
        """bit_depth: samples have 8 bits up to 8, else as many. Raises UsageError for a quality and for a tune."""
        check_one_rate(self, quality, tune)
        return Header(
            width=size[0], height=size[1], colour_mode=colour_mode, bit_depth=bit_depth, profile=Profile.EXACT,
            tune=Tune.PSNR, quality=0, tile_size=TILE_SIZE if max(size) > TILE_SIZE else 0, stage_count=1,
            codebook_id=self.id,
        )  # fmt: skip

    def analyse(self, pixels: NDArray[np.uint8]) -> Iterable[NDArray[np.uint8]]:
        """The samples of pixels uint8 (H, W, 3)."""
        return [np.ascontiguousarray(pixels.transpose(2, 0, 1))]

    def encode(
        self, header: Header, analysis: Iterable[NDArray[Any]], pixels: NDArray[np.uint8], effort: int
    ) -> tuple[Tokens, list[Section]]:
        """The samples of the analysis, unchanged."""
        tokens = self.choose(header, analysis)
        return tokens, self.write(tokens)

    def choose(self, header: Header, analysis: Iterable[NDArray[Any]]) -> Tokens:
        return Tokens(header, list(analysis))

    def check(self, tokens: Tokens) -> None:
        """See `TokenCodec`."""
        header = tokens.header
        LAYOUT.check(header)
        shape = CHANNELS[header.colour_mode], header.height, header.width
        check_shapes(tokens.stages, [shape], 2 ** max(8, header.bit_depth))

    def write(self, tokens: Tokens) -> list[Section]:
        from imgcodec.exact import tile as tiles_of_samples  # which no file of a model needs

        keep_freed_memory()
        header, sections = tokens.header, []
        samples = tokens.stages[0].astype(_dtype(header), copy=False)
        for tile in range(header.tile_count):
            rows, columns = _place(header, tile)
            data = tiles_of_samples.encode(np.ascontiguousarray(samples[:, rows, columns]))
            sections.append(Section(SectionType.TOKENS, 0, tile, data))
            self.advance(1 / header.tile_count)
        return sections

    def empty(self, header: Header) -> Stages:
        """Middle gray, opaque."""
        channels = CHANNELS[header.colour_mode]
        most = 2 ** max(8, header.bit_depth) - 1
        samples = np.full((channels, header.height, header.width), (most + 1) // 2, _dtype(header))
        if channels % 2 == 0:
            samples[-1] = most
        return [samples]

    def read(self, header: Header, tiles: Sequence[int], data: Sequence[TileTokens], stages: Stages) -> None:
        from imgcodec.exact import tile as tiles_of_samples

        keep_freed_memory()
        for tile, found in zip(tiles, data, strict=True):
            rows, columns = _place(header, tile)
            shape = len(stages[0]), rows.stop - rows.start, columns.stop - columns.start
            for part in found.parts:
                stages[0][:, rows, columns] = tiles_of_samples.decode(part.data, shape, header.bit_depth)
            self.advance(1 / header.tile_count)

    def synthesise(self, tokens: Tokens, scale: int) -> NDArray[np.uint8]:
        """The colours, those of more than 8 bits rounded to 8."""
        samples = tokens.stages[0]
        colours = samples[:3] if len(samples) >= 3 else samples[[0, 0, 0]]
        return np.ascontiguousarray(narrowed(colours, tokens.header.bit_depth).transpose(1, 2, 0))

    def margin(self, header: Header) -> int:
        """See `PartialCodec`: nothing around a region takes part in it."""
        return 0

    def reduced_end(self, header: Header, reduction: int) -> int:
        """The only stage is needed."""
        return 1

    def decode_reduced(self, header: Header, tile: TileTokens, reduction: int) -> NDArray[np.uint8]:
        raise UsageError("Exact files are decoded at their own size.")

    def generate(self, count: int, size: tuple[int, int], sampling: SamplingOptions) -> list[Tokens]:
        """Raises UsageError: there is no prior."""
        raise UsageError("Exact files have no prior, which would generate pictures.")

    def with_gradients(self) -> "ExactCodec":
        """As it is: there is nothing to choose."""
        return self

    def watched(self, advance: Callable[[float], None]) -> "ExactCodec":
        """Tiles are told."""
        return replace(self, advance=advance)


def _dtype(header: Header) -> type[np.unsignedinteger]:
    return np.uint8 if header.bit_depth <= 8 else np.uint16


def _place(header: Header, tile: int) -> tuple[slice, slice]:
    """Rows and columns of a tile."""
    left, top, width, height = header.tile_rectangle(tile)
    return slice(top, top + height), slice(left, left + width)
