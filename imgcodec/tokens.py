"""What stands between pictures and files: the tokens, and what a codec of one profile does with them."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.bitstream.header import ColourMode, Header, Profile, Rectangle, Tune
from imgcodec.bitstream.sections import Section
from imgcodec.bitstream.token_sections import TileTokens

if TYPE_CHECKING:
    from torch import nn

Stages = list[NDArray[Any]]
Places = list[tuple[slice, slice]]


@dataclass(frozen=True, eq=False)
class Tokens:
    """What a file says, before it is a picture.

    stages: for each stage, coarse first, integers (groups, rows, columns). Of `photo` they are indices into its
    codebooks, int16, and the last row is the `ceil(height / stride)`-th; of raster models they are int32, one group,
    and cover whole places of stage 0; of `semantic` the integers of the vector, (dim, 1, 1); of exact files the
    samples.
    """

    header: Header
    stages: Stages

    def sha256(self) -> str:
        """Of the shape (three little-endian int32) and the values (little-endian) of each stage, as hexadecimal."""
        digest = hashlib.sha256()
        for stage in self.stages:
            values = stage.astype(stage.dtype.newbyteorder("<"))
            digest.update(np.array(stage.shape, "<i4").tobytes() + values.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are sampled from the prior; see `imgcodec.Model.generate`."""

    temperature: float
    top_k: int
    seed: int
    prefix: NDArray[np.uint8] | None
    prefix_rows: int | None


class TokenCodec(Protocol):
    """A model of one profile at work: pixels to tokens to the data of token sections, and back.

    strides: pixels per token, across and down, of each stage. scales: how many times its size a picture can be decoded
    at. has_qualities: whether it has more than one rate.
    """

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> bytes: ...

    @property
    def profile(self) -> Profile: ...

    @property
    def tokenizer(self) -> "nn.Module": ...

    @property
    def prior(self) -> "nn.Module": ...

    @property
    def stage_count(self) -> int: ...

    @property
    def strides(self) -> tuple[int, ...]: ...

    @property
    def scales(self) -> tuple[int, ...]: ...

    @property
    def tunes(self) -> list[Tune]: ...

    @property
    def has_qualities(self) -> bool: ...

    def header(
        self,
        size: tuple[int, int],
        quality: float | None,
        tune: Tune | None,
        colour_mode: ColourMode = ColourMode.RGB,
        bit_depth: int = 8,
    ) -> Header:
        """Of the file that a picture of this size, (width, height), becomes; None: the default. Raises UsageError for
        what the model does not have."""

    def analyse(self, pixels: NDArray[np.uint8]) -> Iterable[Any]:
        """What `encode` takes, for any quality, of pixels uint8 (H, W, 3)."""

    def encode(
        self, header: Header, analysis: Iterable[Any], pixels: NDArray[np.uint8], effort: int
    ) -> tuple[Tokens, list[Section]]:
        """The tokens at the header's quality, of pixels and what `analyse` made of them, and their sections.

        effort: 1 to 9; more than 1 is for models of many rates, and chooses better tokens for the same pixels.
        """

    def choose(self, header: Header, analysis: Iterable[Any]) -> Tokens:
        """The tokens that `encode` gives for an effort of 1."""

    def check(self, tokens: Tokens) -> None:
        """Raises UsageError where tokens are not of the header's shape or no codes of this model."""

    def write(self, tokens: Tokens) -> list[Section]:
        """The sections of given tokens, which `check` has let pass."""

    def empty(self, header: Header) -> Stages:
        """The stages of a picture of which nothing is known yet. Of a lost tile that is what stays."""

    def read(self, header: Header, tiles: Sequence[int], data: Sequence[TileTokens], stages: Stages) -> None:
        """Decodes tiles, and puts their tokens into their places among those of the picture.

        data: of each tile; where parts of it are missing, tokens are as the prior expects them, or stay as they are.
        Raises InvalidFileError for data that no encoder makes; of such a tile nothing is put there.
        """

    def synthesise(self, tokens: Tokens, scale: int) -> NDArray[np.uint8]:
        """Tokens, or the first of their stages -> pixels uint8 (scale * H, scale * W, 3)."""

    def generate(self, count: int, size: tuple[int, int], sampling: SamplingOptions) -> list[Tokens]:
        """See `Model.generate`."""

    def with_gradients(self) -> "TokenCodec":
        """The same codec in PyTorch, which an effort of more than 1 needs. Raises UsageError where there is none."""

    def watched(self, advance: Callable[[float], None]) -> "TokenCodec":
        """The same codec, which calls `advance` while it encodes or decodes one picture: with the share of the work
        that was done since the last call. The shares add up to about 1."""


class BlockCodec(TokenCodec, Protocol):
    """One whose files may have exact blocks: that of photo models."""

    def synthesise_blocks(self, tokens: Tokens, blocks: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """As `synthesise` at scale 1, of these blocks (`imgcodec.exact.blocks`) alone; others may stay black."""


class PartialCodec(TokenCodec, Protocol):
    """One that decodes parts of pictures, too; `imgcodec.profiles.PROFILES` has the reductions."""

    def margin(self, header: Header) -> int:
        """Pixels on each side of a region, whose borders are at multiples of the finest stride, that its own depend
        on."""

    def reduced_end(self, header: Header, reduction: int) -> int:
        """The first call or stage of a tile that is not needed for a reduction."""

    def decode_reduced(self, header: Header, tile: TileTokens, reduction: int) -> NDArray[np.uint8]:
        """A picture of one tile, whose tokens are there up to `reduced_end` -> pixels uint8 (ceil(H / reduction),
        ceil(W / reduction), 3). Raises InvalidFileError as `read`."""


def described(codec: TokenCodec) -> str:
    """Who lacks what was asked for, for a message."""
    return "A lossless file" if codec.profile == Profile.EXACT else f"The model {codec.name}"


def check_one_rate(codec: TokenCodec, quality: float | None, tune: Tune | None) -> None:
    """What a model of one rate is asked for. Raises UsageError for a quality and for a tune: there is one of each."""
    if quality is not None:
        raise UsageError(f"{described(codec)} has one rate: it takes no quality and no target.")
    if tune is not None:
        raise UsageError(f"{described(codec)} has one way to code a picture: it takes no tune.")


def check_model(codec: TokenCodec, header: Header) -> None:
    """Raises ModelNotFoundError for a file of another model."""
    if header.codebook_id != codec.id:
        raise ModelNotFoundError(f"The file was made with model {header.codebook_id.hex()}, not with {codec.name}.")


def check_profile(codec: TokenCodec, header: Header) -> None:
    """Raises InvalidFileError for a header that this model does not write."""
    if header.profile != codec.profile or header.stage_count != codec.stage_count or header.tune not in codec.tunes:
        profile, tune = header.profile.name.lower(), header.tune.name.lower()
        raise InvalidFileError(
            f"The file is of profile {profile}, {header.stage_count} stages and tune {tune}, "
            f"and its model {codec.name} makes no such files."
        )


def check_tokens(codec: TokenCodec, tokens: Tokens) -> None:
    """Raises UsageError where tokens are not of this model, not of the header's shape, or no codes of it."""
    if tokens.header.codebook_id != codec.id:
        raise UsageError("The tokens are of another model.")
    try:
        check_profile(codec, tokens.header)
    except InvalidFileError as error:
        raise UsageError(str(error)) from None
    codec.check(tokens)


def check_scale(codec: TokenCodec, scale: int) -> None:
    """Raises UsageError for a scale that the model does not have."""
    if scale not in codec.scales:
        raise UsageError(f"{described(codec)} decodes at scale {', '.join(map(str, codec.scales))}, not at {scale}.")


def stage_places(tile: Rectangle, strides: Sequence[int], whole: int = 1) -> Places:
    """Rows and columns of each stage's tokens that lie in a tile, which begins at a multiple of all strides.

    whole: its height and width are rounded up to multiples of this before.
    """
    height, width = (-(-length // whole) * whole for length in (tile.height, tile.width))
    return [
        (
            slice(tile.top // stride, -(-(tile.top + height) // stride)),
            slice(tile.left // stride, -(-(tile.left + width) // stride)),
        )
        for stride in strides
    ]


def check_shapes(stages: Stages, shapes: Sequence[tuple[int, int, int]], codes: int) -> None:
    """Raises UsageError unless these are indices into codebooks of so many codes, of these shapes."""
    if not all(isinstance(s, np.ndarray) and s.dtype.kind in "iu" for s in stages):
        raise UsageError("The tokens are not all arrays of integers.")
    if [s.shape for s in stages] != list(shapes):
        raise UsageError(f"The tokens have shapes {[s.shape for s in stages]} instead of {list(shapes)}.")
    if any(s.size and not (int(s.min()) >= 0 and int(s.max()) < codes) for s in stages):
        raise UsageError(f"The tokens are not all indices into codebooks of {codes} codes.")
