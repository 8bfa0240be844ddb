"""The `raster` profile at work: one rate, tiles of 256 pixels that go through the prior in batches."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import ColourMode, Header, Profile, Rectangle, Tune
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.bitstream.token_sections import TileTokens
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.raster.coding import code_tiles
from imgcodec.priors.raster.sampling import sample
from imgcodec.profiles.raster.layout import LAYOUT, TILE
from imgcodec.profiles.raster.model import Prior, RasterModel, Tokenizer
from imgcodec.profiles.raster.windows import decode_windows, encode_windows
from imgcodec.tokens import Places, SamplingOptions, Stages, Tokens, check_one_rate, check_shapes, stage_places

BATCH = 128
"""Tiles that go through the prior at once: its caches for them take some 100 MB."""
MAX_SAMPLES = 2**16  # pictures that the prior makes up in one call


@dataclass(frozen=True)
class RasterCodec:
    """See `imgcodec.tokens.TokenCodec`. advance: see `watched`."""

    raster: RasterModel
    advance: Callable[[float], None] = field(default=lambda share: None, compare=False)

    @property
    def name(self) -> str:
        return self.raster.name

    @property
    def id(self) -> bytes:
        return self.raster.id

    @property
    def profile(self) -> Profile:
        return Profile.RASTER

    @property
    def tokenizer(self) -> Tokenizer:
        return self.raster.tokenizer

    @property
    def prior(self) -> Prior:
        return self.raster.prior

    @property
    def strides(self) -> tuple[int, ...]:
        return self.raster.tokenizer.strides

    @property
    def stage_count(self) -> int:
        return len(self.raster.tokenizer.strides)

    @property
    def scales(self) -> tuple[int, ...]:
        return self.raster.tokenizer.scales

    @property
    def tunes(self) -> list[Tune]:
        return [Tune.PSNR]

    @property
    def has_qualities(self) -> bool:
        return False

    def header(
        self,
        size: tuple[int, int],
        quality: float | None,
        tune: Tune | None,
        colour_mode: ColourMode = ColourMode.RGB,
        bit_depth: int = 8,
    ) -> Header:
        """Raises UsageError for a quality and for a tune: there is one of each."""
        check_one_rate(self, quality, tune)
        return Header(
            width=size[0], height=size[1], colour_mode=colour_mode, bit_depth=bit_depth, profile=Profile.RASTER,
            tune=Tune.PSNR, quality=0, tile_size=TILE, stage_count=self.stage_count, codebook_id=self.id,
        )  # fmt: skip

    def analyse(self, pixels: NDArray[np.uint8]) -> Iterable[NDArray[np.int32]]:
        """The tokens of each stage: nothing is left to choose."""
        with exact_arithmetic():  # no TF32
            return encode_windows(self.raster.tokenizer, pixels, self.raster.device)

    def encode(
        self, header: Header, analysis: Iterable[NDArray[np.int32]], pixels: NDArray[np.uint8], effort: int
    ) -> tuple[Tokens, list[Section]]:
        """The tokens of the analysis, unchanged."""
        tokens = self.choose(header, analysis)
        return tokens, self.write(tokens)

    def choose(self, header: Header, analysis: Iterable[NDArray[np.int32]]) -> Tokens:
        """The tokens of the analysis; the prior is not asked."""
        return Tokens(header, list(analysis))

    def check(self, tokens: Tokens) -> None:
        """See `TokenCodec`."""
        LAYOUT.check(tokens.header)
        check_shapes(tokens.stages, [s.shape for s in self.empty(tokens.header)], self.raster.tokenizer.codebook_size)

    def write(self, tokens: Tokens) -> list[Section]:
        """In batches of tiles of equal size."""
        header = tokens.header
        sections = []
        for tiles in _batches(header, range(header.tile_count)):
            places = [self._places(header.tile_rectangle(t)) for t in tiles]
            values = [
                np.stack([stage[0, y, x] for y, x in at])
                for stage, at in zip(tokens.stages, zip(*places, strict=True), strict=True)
            ]
            sizes = [v.shape[1:] for v in values]
            coders = [[RangeEncoder(None) for _ in values] for _ in tiles]
            with exact_arithmetic():
                code_tiles(self.raster.prior, coders, sizes, values, self.raster.tokenizer.codebook_size)
            sections += [
                Section(SectionType.TOKENS, stage, tile, coder.finish())
                for tile, streams in zip(tiles, coders, strict=True)
                for stage, coder in enumerate(streams)
            ]
            self.advance(len(tiles) / header.tile_count)
        return sections

    def empty(self, header: Header) -> Stages:
        """The codes of a gray picture, in every position."""
        whole = self._places(Rectangle(0, 0, header.width, header.height))
        return [np.full((1, y.stop, x.stop), code, np.int32) for (y, x), code in zip(whole, self._gray, strict=True)]

    def read(self, header: Header, tiles: Sequence[int], data: Sequence[TileTokens], stages: Stages) -> None:
        """In batches of tiles of equal size."""
        found_parts = {tile: found.parts for tile, found in zip(tiles, data, strict=True)}
        for batch in _batches(header, tiles):
            places = [self._places(header.tile_rectangle(t)) for t in batch]
            sizes = [(y.stop - y.start, x.stop - x.start) for y, x in places[0]]
            coders = [[RangeDecoder(None, part.data) for part in found_parts[t]] for t in batch]
            with exact_arithmetic():
                found = code_tiles(self.raster.prior, coders, sizes, None, self.raster.tokenizer.codebook_size)
            for number, at in enumerate(places):
                for stage, (y, x), values in zip(stages, at, found, strict=False):
                    stage[0, y, x] = values[number]
            self.advance(len(batch) / header.tile_count)

    def synthesise(self, tokens: Tokens, scale: int) -> NDArray[np.uint8]:
        """In overlapping windows (`imgcodec.profiles.raster.windows`)."""
        size = (tokens.header.height, tokens.header.width)
        with exact_arithmetic():
            return decode_windows(self.raster.tokenizer, tokens.stages, size, scale, self.raster.device)

    def with_gradients(self) -> "RasterCodec":
        """It is in PyTorch."""
        return self

    def watched(self, advance: Callable[[float], None]) -> "RasterCodec":
        """Batches of tiles are told when the prior has gone through them, which takes nearly all of the time."""
        return replace(self, advance=advance)

    def generate(self, count: int, size: tuple[int, int], sampling: SamplingOptions) -> list[Tokens]:
        """See `Model.generate`."""
        width, height = size
        if not (0 < width <= TILE and 0 < height <= TILE):
            raise UsageError(f"The model {self.name} makes pictures of up to {TILE} x {TILE}, not {width} x {height}.")
        if not 1 <= count <= MAX_SAMPLES or not 0 <= sampling.seed < 2**63:
            raise UsageError(f"There can be 1 to {MAX_SAMPLES} pictures at a time, and a seed from 0 to 2^63 - 1.")
        tokenizer = self.raster.tokenizer
        header = self.header(size, None, None)
        sizes = [stage.shape[1:] for stage in self.empty(header)]
        given = None
        if sampling.prefix is not None:
            fitted = np.asarray(Image.fromarray(sampling.prefix).resize(size, Image.Resampling.LANCZOS))
            first = sizes[-1][0] // 2 if sampling.prefix_rows is None else sampling.prefix_rows
            if not 0 <= first <= sizes[-1][0]:
                raise UsageError(f"A prefix may have 0 to {sizes[-1][0]} rows of tokens, not {first}.")
            rows = [-(-first * tokenizer.strides[-1] // stride) for stride in tokenizer.strides]
            kept = [s[:, :r].reshape(1, -1).repeat(count, 0) for s, r in zip(self.analyse(fitted), rows, strict=True)]
            given = [torch.from_numpy(k.astype(np.int64)) for k in kept]
        generator = torch.Generator("cpu").manual_seed(sampling.seed)
        with exact_arithmetic():
            tokens = sample(self.raster.prior, count, sizes, sampling.temperature, sampling.top_k, generator, given)
        # digits may spell a number beyond the last code
        stages = [stage.clamp(max=tokenizer.codebook_size - 1).to("cpu", torch.int32).numpy() for stage in tokens]
        return [Tokens(header, [s[i : i + 1] for s in stages]) for i in range(count)]

    @cached_property
    def _gray(self) -> list[int]:
        """For each stage, the code in the middle of a gray window: no code stands for "unknown"."""
        gray = np.full((TILE, TILE, 3), 128, np.uint8)
        return [int(stage[0, stage.shape[1] // 2, stage.shape[2] // 2]) for stage in self.analyse(gray)]

    def _places(self, tile: Rectangle) -> Places:
        strides = self.raster.tokenizer.strides
        return stage_places(tile, strides, whole=strides[0])


def _batches(header: Header, tiles: Sequence[int]) -> Iterator[list[int]]:
    """The tiles in batches of equal size, at most `BATCH` each."""
    by_size = defaultdict(list)
    for tile in tiles:
        _, _, width, height = header.tile_rectangle(tile)
        by_size[width, height].append(tile)
    for same in by_size.values():
        for first in range(0, len(same), BATCH):
            yield same[first : first + BATCH]
