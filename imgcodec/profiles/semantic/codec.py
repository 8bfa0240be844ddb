"""The `semantic` profile at work: a picture to a vector of integers, and a vector to a picture that shows the same."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.bitstream.header import CODEBOOK_ID_BYTES, ColourMode, Header, Profile, Tune
from imgcodec.bitstream.sections import PICTURE_SECTIONS, Section, SectionType
from imgcodec.bitstream.token_sections import TileTokens
from imgcodec.pictures.square import as_square, resized
from imgcodec.priors.channel import LEVELS, ZERO, ChannelPrior
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.profiles.semantic.drawing import DrawingOptions
from imgcodec.profiles.semantic.layout import LAYOUT
from imgcodec.profiles.semantic.model import SemanticModel
from imgcodec.tokenizers.clip import ClipEncoder, parse_features
from imgcodec.tokenizers.semantic import SemanticTokenizer
from imgcodec.tokens import (
    SamplingOptions,
    Stages,
    TokenCodec,
    Tokens,
    check_model,
    check_one_rate,
    check_profile,
    check_shapes,
)

BATCH = 16
"""Pictures that are encoded at once."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class SemanticCodec:
    """See `imgcodec.tokens.TokenCodec`. drawing: how pictures are drawn."""

    semantic: SemanticModel
    drawing: DrawingOptions = field(default_factory=DrawingOptions)

    @property
    def name(self) -> str:
        return self.semantic.name

    @property
    def id(self) -> bytes:
        return self.semantic.id

    @property
    def profile(self) -> Profile:
        return Profile.SEMANTIC

    @property
    def tokenizer(self) -> SemanticTokenizer:
        return self.semantic.tokenizer

    @property
    def prior(self) -> ChannelPrior:
        return self.semantic.prior

    @property
    def strides(self) -> tuple[int, ...]:
        """A vector is of the whole picture; without a size, one is drawn at the decoder's own."""
        return (self.tokenizer.decoder.config.side,)

    @property
    def stage_count(self) -> int:
        return 1

    @property
    def scales(self) -> tuple[int, ...]:
        return (1,)

    @property
    def tunes(self) -> list[Tune]:
        return [Tune.PSNR]

    @property
    def has_qualities(self) -> bool:
        return False

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return self.tokenizer.encoder.dim

    @property
    def takes_clip(self) -> bool:
        """Whether its vectors are CLIP's, whose weights are outside of its file."""
        return isinstance(self.tokenizer.encoder, ClipEncoder)

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
            width=size[0], height=size[1], colour_mode=colour_mode, bit_depth=bit_depth, profile=Profile.SEMANTIC,
            tune=Tune.PSNR, quality=0, tile_size=0, stage_count=1, codebook_id=self.id,
        )  # fmt: skip

    def analyse(self, pixels: NDArray[np.uint8]) -> Iterable[NDArray[np.int16]]:
        """The integers of the picture's vector, (dim, 1, 1): nothing is left to choose."""
        return [self.levels([pixels])[0][:, None, None]]

    def encode(
        self, header: Header, analysis: Iterable[NDArray[np.int16]], pixels: NDArray[np.uint8], effort: int
    ) -> tuple[Tokens, list[Section]]:
        """The tokens of the analysis, unchanged."""
        tokens = self.choose(header, analysis)
        return tokens, self.write(tokens)

    def choose(self, header: Header, analysis: Iterable[NDArray[np.int16]]) -> Tokens:
        return Tokens(header, list(analysis))

    def check(self, tokens: Tokens) -> None:
        """See `TokenCodec`."""
        LAYOUT.check(tokens.header)
        check_shapes(tokens.stages, [(self.dim, 1, 1)], LEVELS)

    def write(self, tokens: Tokens) -> list[Section]:
        return [Section(SectionType.TOKENS, 0, 0, self.prior.write(tokens.stages[0].reshape(-1)))]

    def empty(self, header: Header) -> Stages:
        """The mean of all vectors."""
        return [np.full((self.dim, 1, 1), ZERO, np.int16)]

    def read(self, header: Header, tiles: Sequence[int], data: Sequence[TileTokens], stages: Stages) -> None:
        for tile in data:
            for part in tile.parts:
                stages[0][:] = self.prior.read(part.data)[:, None, None]

    def synthesise(self, tokens: Tokens, scale: int) -> NDArray[np.uint8]:
        """The picture is drawn as a square of the decoder's side, made larger by the upscaler where there is one and
        the picture is larger, and stretched to its size by a bicubic filter."""
        vector = torch.from_numpy(self.vectors(tokens.stages[0].reshape(1, -1))).to(self.semantic.device)
        width, height = tokens.header.width, tokens.header.height
        upscaler, side = self.tokenizer.upscaler, self.tokenizer.decoder.config.side
        with torch.inference_mode(), exact_arithmetic():
            drawn = self._draw(vector)
            if upscaler is not None and max(width, height) > side:
                drawn = upscaler(drawn)
        pixels = drawn[0].mul(255).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
        return resized(pixels, width, height).copy()

    def _draw(self, vector: torch.Tensor) -> torch.Tensor:
        how, decoder = self.drawing, self.tokenizer.decoder
        if how.steps > decoder.config.steps:
            raise UsageError(f"The model {self.name} draws in at most {decoder.config.steps} steps, not {how.steps}.")
        thumbnail = self.tokenizer.encoder.thumbnail(vector)
        drawn = thumbnail  # there is a step at least
        for drawn in decoder.draw(vector, thumbnail, how.steps, how.eta, how.guidance, how.seed):  # noqa: B007
            how.progress()
        assert drawn is not None
        return drawn

    def generate(self, count: int, size: tuple[int, int], sampling: SamplingOptions) -> list[Tokens]:
        """Raises UsageError: numbers drawn one by one are a vector of nothing."""
        raise UsageError(f"The model {self.name} draws what a file describes, and makes up no pictures of its own.")

    def with_gradients(self) -> "SemanticCodec":
        """It is in PyTorch."""
        return self

    def watched(self, advance: Callable[[float], None]) -> "SemanticCodec":
        """Steps of the drawing are told; nothing else takes long."""
        drawing = replace(self.drawing, progress=lambda: advance(1 / self.drawing.steps))
        return replace(self, drawing=drawing)

    # Vectors

    def levels(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.int16]:
        """Pictures, each uint8 (H, W, 3) -> the integers of their vectors, (N, dim)."""
        return self.quantize(self.features(pictures))

    def quantize(self, vectors: Vectors) -> NDArray[np.int16]:
        """Vectors (N, dim) -> their integers."""
        levels = self.tokenizer.quantizer.quantize(torch.from_numpy(vectors).to(self.semantic.device))
        return levels.cpu().numpy().astype(np.int16)

    def features(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Pictures, each uint8 (H, W, 3) -> unit vectors, before they become integers, (N, dim)."""
        encoder, found = self.tokenizer.encoder, []
        for first in range(0, len(pictures), BATCH):
            squares = np.stack([as_square(p, encoder.side) for p in pictures[first : first + BATCH]])
            pixels = torch.from_numpy(squares).to(self.semantic.device).permute(0, 3, 1, 2).float().div(255)
            with torch.inference_mode(), exact_arithmetic():
                found.append(encoder(pixels).float().cpu().numpy())
        return np.concatenate(found)

    def vectors(self, levels: NDArray[np.integer]) -> Vectors:
        """The integers of vectors (N, dim) -> the vectors that they stand for, the same on every machine."""
        quantizer = self.tokenizer.quantizer
        found = quantizer.dequantize(torch.from_numpy(levels.astype(np.int64)).to(quantizer.scale.device))
        return found.cpu().numpy()

    def search_vectors(self, vectors: Vectors) -> Vectors:
        """Vectors (N, dim) -> unit vectors (N, n), whose inner products rank the results of a search."""
        found = self.tokenizer.encoder.search_vector(torch.from_numpy(vectors))
        return found.cpu().numpy()

    # The section of features that a file of any profile may have: whose they are, and the integers

    def write_features(self, pixels: NDArray[np.uint8]) -> bytes:
        """The data of a FEATURES section for a picture uint8 (H, W, 3)."""
        return self.id + self.prior.write(self.levels([pixels])[0])

    def read_features(self, file: Container) -> NDArray[np.int32]:
        """The integers (dim,) of a picture's vector, from its own file or from the FEATURES section of one of another
        profile; no pixel is decoded. Raises InvalidFileError where there are none, ModelNotFoundError for those of
        another model."""
        if file.header.profile == Profile.SEMANTIC:
            check_model(self, file.header)
            check_profile(self, file.header)
            return self.prior.read(_stream(file))
        data = features_section(file)
        if data is None:
            raise InvalidFileError("The file has no features; compress --with-features puts them there.")
        if data[:CODEBOOK_ID_BYTES] != self.id:
            raise ModelNotFoundError(
                f"The features were made with model {data[:CODEBOOK_ID_BYTES].hex()}, not with {self.name}."
            )
        return self.prior.read(data[CODEBOOK_ID_BYTES:])


def features_section(file: Container) -> bytes | None:
    """The data of a file's FEATURES section; None where it has none. Raises InvalidFileError for data that cannot be
    such."""
    data = next((s.data for s in file.sections if s.type == SectionType.FEATURES), None)
    return None if data is None else PICTURE_SECTIONS[SectionType.FEATURES].unpack(data, file.header)


def _stream(file: Container) -> bytes:
    """The bytes of the vector in a file of this profile."""
    return next(section.data for section in file.sections if section.type == SectionType.TOKENS)


def as_semantic(codec: TokenCodec, what: str) -> SemanticCodec:
    """The codec, if it is of this profile. Raises UsageError, which says that `what` needs one."""
    if not isinstance(codec, SemanticCodec):
        raise UsageError(f"{what} takes a model of the profile semantic, and {codec.name} is none.")
    return codec


def with_features(codec: SemanticCodec, features: str | None) -> SemanticCodec:
    """The codec, with weights of CLIP where `features` says that they are, as open_clip:ViT-B-32/FILE; None leaves them
    where its model file says. Raises UsageError for a codec whose features are not CLIP's, or another CLIP's."""
    if features is None:
        return codec
    encoder, (model, weights) = codec.tokenizer.encoder, parse_features(features)
    if not isinstance(encoder, ClipEncoder):
        raise UsageError(f"The model {codec.name} has an encoder of its own, and no use for features of {model}.")
    if encoder.config.model != model:
        raise UsageError(
            f"The model {codec.name} takes the {codec.dim} features of {encoder.config.model}, not those of {model}."
        )
    encoder.weights = weights
    return codec


def with_drawing(codec: TokenCodec, drawing: DrawingOptions) -> SemanticCodec:
    """The codec, drawing as it is told. Raises UsageError for a codec that draws nothing."""
    return replace(as_semantic(codec, "Drawing in steps, from a seed, with guidance or at a size"), drawing=drawing)
