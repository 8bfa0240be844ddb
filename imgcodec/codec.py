"""The whole pipeline on one page.

            image.load            analysis, quantization       prior + entropy coder         container.write
 photo.png ───────────► pixels ─────────────────► tokens ─────────────────────► sections ───────────────► photo.nic
                          │     float, any device   │       integers only, exact    │    lengths, checksums
                          │                         │                               │
 photo.png ◄─────────── pixels ◄───────────────── tokens ◄───────────────────── sections ◄─────────────── photo.nic
            image.save       lookup, synthesis           prior + entropy decoder       container.read

Tokens are the narrow waist: nothing else crosses it, and to their right every machine computes the same integers.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imgcodec import image as images
from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container, Section, SectionType
from imgcodec.bitstream.decodable import read_decodable
from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import CodecError, ModelNotFoundError, UsageError
from imgcodec.bitstream.header import QUALITY_MAX, QUALITY_UNIT, ColourMode, Header, Profile, Rectangle, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.image import Picture
from imgcodec.model import PhotoModel, find_model_by_id, load_photo_model
from imgcodec.priors.choice import ChoosingEncoder
from imgcodec.priors.exact import exact_arithmetic
from imgcodec.priors.walk import walk_tile
from imgcodec.tiling import analyse, synthesise
from imgcodec.tokenizers.rvq import STRIDES

TILE_SIZE = 1024
"""Pixels. Tokens see nothing beyond their tile; so a damaged one costs no other, and memory does not grow."""


@dataclass(frozen=True)
class Tokens:
    """What a file says, before it is a picture.

    stages: for each stage, coarse first, int16 (groups, ceil(height / stride), ceil(width / stride)), indices into the
    codebooks of that stage.
    """

    header: Header
    stages: list[NDArray[np.int16]]

    def sha256(self) -> str:
        """Of the shape (three little-endian int32) and the values (int16) of each stage, as hexadecimal."""
        digest = hashlib.sha256()
        for stage in self.stages:
            digest.update(np.array(stage.shape, "<i4").tobytes() + stage.astype("<i2").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Model:
    """Weights on a device, and the two directions of the codec. Make one with `load_model`."""

    photo: PhotoModel

    @property
    def id(self) -> bytes:
        """The codebook id that files of this model carry."""
        return self.photo.id

    @property
    def name(self) -> str:
        """As in `load_model`."""
        return self.photo.name

    def compress(self, image: Image.Image | NDArray[np.uint8], quality: float = 50) -> bytes:
        """A PIL image or uint8 (H, W, 3), quality 0..100 -> the bytes of a .nic file.

        Raises UsageError for a quality out of range or pixels of another type or shape.
        """
        return self.compress_picture(images.load(image) if isinstance(image, Image.Image) else _picture(image), quality)

    def decompress(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Image.Image:
        """The bytes of a .nic file -> the picture. Raises InvalidFileError, also for more than `max_pixels`, and
        ModelNotFoundError."""
        return images.to_pil(self.decompress_picture(data, max_pixels=max_pixels))

    def compress_picture(self, picture: Picture, quality: float = 50) -> bytes:
        """As `compress`, with what a picture has besides pixels."""
        header = self._header(picture.pixels, quality, images.colour_mode(picture))
        _, sections = self._choose(header, picture.pixels)
        return container.write(header, [*sections, *images.picture_sections(picture)])

    def decompress_picture(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Picture:
        """As `decompress`, with what a picture has besides pixels."""
        file = read_decodable(data, max_pixels)
        tokens = self._tokens_of(file)
        return images.apply_sections(self.detokenize(tokens), file)

    def tokenize(
        self, pixels: NDArray[np.uint8], quality: float = 50, colour_mode: ColourMode = ColourMode.RGB
    ) -> Tokens:
        """Pixels uint8 (H, W, 3) -> the tokens that `compress` writes. Raises UsageError for a quality out of range."""
        return self._choose(self._header(pixels, quality, colour_mode), pixels)[0]

    def detokenize(self, tokens: Tokens) -> NDArray[np.uint8]:
        """Tokens, or the first of their stages -> pixels uint8 (H, W, 3)."""
        header = tokens.header
        size = (header.height, header.width)
        with exact_arithmetic():
            return synthesise(self.photo.tokenizer, tokens.stages, size, self._level(header), self.photo.device)

    def write_tokens(self, tokens: Tokens) -> bytes:
        """A file of these tokens. Raises UsageError where they are not of this model or not of the header's shape."""
        if tokens.header.codebook_id != self.id:
            raise UsageError("The tokens are of another model.")
        _check_shapes(tokens, self.photo)
        return container.write(tokens.header, self._encode(tokens.header, tokens.stages, RangeEncoder)[1])

    def read_tokens(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
        """The tokens of a file. Raises as `decompress`."""
        return self._tokens_of(read_decodable(data, max_pixels))

    def _header(self, pixels: NDArray[np.uint8], quality: float, colour_mode: ColourMode) -> Header:
        if not 0 <= quality <= 100:
            raise UsageError(f"The quality is {quality:g}, and must be between 0 and 100.")
        height, width = pixels.shape[:2]
        return Header(
            width=width, height=height, colour_mode=colour_mode, bit_depth=8, profile=Profile.PHOTO, tune=Tune.PSNR,
            quality=round(quality * QUALITY_UNIT), tile_size=TILE_SIZE if max(width, height) > TILE_SIZE else 0,
            stage_count=len(STRIDES), codebook_id=self.id,
        )  # fmt: skip

    def _choose(self, header: Header, pixels: NDArray[np.uint8]) -> tuple[Tokens, list[Section]]:
        """Tokens for a picture, chosen as they are written."""
        with exact_arithmetic():  # no TF32: it would cost more than a grey level
            values = analyse(self.photo.tokenizer, pixels, self._level(header), self.photo.device)
        return self._encode(header, values, ChoosingEncoder)

    def _encode(
        self, header: Header, stages: Sequence[NDArray[np.int16] | NDArray[np.float16]], coder: type[RangeEncoder]
    ) -> tuple[Tokens, list[Section]]:
        """Tokens, or real numbers for a coder that chooses, -> the tokens that were written, and their sections."""
        written, sections = [np.empty(s.shape, np.int16) for s in stages], []
        for index in range(header.tile_count):
            coders = [coder(self.photo.tables) for _ in stages]
            places = stage_places(header.tile_rectangle(index))
            tile = [s[:, y, x] for s, (y, x) in zip(stages, places, strict=True)]
            with exact_arithmetic():
                done = walk_tile(
                    self.photo.prior, coders, [t.shape[1:] for t in tile], header.quality, tile, self._zero
                )
            for stage, (y, x), tokens in zip(written, places, done, strict=True):
                stage[:, y, x] = tokens
            sections += [Section(SectionType.TOKENS, s, index, c.finish()) for s, c in enumerate(coders)]
        return Tokens(header, written), sections

    def _tokens_of(self, file: Container) -> Tokens:
        header = file.header
        if header.codebook_id != self.id:
            raise ModelNotFoundError(f"The file was made with model {header.codebook_id.hex()}, not with {self.name}.")
        whole = stage_places(Rectangle(0, 0, header.width, header.height))
        groups = self.photo.tokenizer.config.channels
        stages = [np.empty((g, y.stop, x.stop), np.int16) for g, (y, x) in zip(groups, whole, strict=True)]
        data = file.tokens()
        for index in range(header.tile_count):
            coders = [
                RangeDecoder(self.photo.tables, data[stage * header.tile_count + index])
                for stage in range(header.stage_count)
            ]
            places = stage_places(header.tile_rectangle(index))
            sizes = [(y.stop - y.start, x.stop - x.start) for y, x in places]
            with exact_arithmetic():
                tile = walk_tile(self.photo.prior, coders, sizes, header.quality, None, self._zero)
            for stage, (y, x), tokens in zip(stages, places, tile, strict=True):
                stage[:, y, x] = tokens
        return Tokens(header, stages)

    @property
    def _zero(self) -> int:
        return self.photo.tokenizer.config.codes // 2

    def _level(self, header: Header) -> float:
        return header.quality / QUALITY_MAX * (self.photo.tokenizer.config.levels - 1)


def stage_places(tile: Rectangle) -> list[tuple[slice, slice]]:
    """Rows and columns of each stage's tokens that lie in a tile; the tile begins at a multiple of all strides."""
    return [
        (
            slice(tile.top // stride, math.ceil((tile.top + tile.height) / stride)),
            slice(tile.left // stride, math.ceil((tile.left + tile.width) / stride)),
        )
        for stride in STRIDES
    ]


def load_model(name_or_path: str = "photo", device: str = "cpu") -> Model:
    """A model, to be used for many images.

    name_or_path: an installed model, or a .safetensors file. device: cpu, cuda, mps, or auto for the best there is.
    Raises ModelNotFoundError, UsageError for a device that is not there, CodecError for a damaged model.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.split(":")[0], False):
        raise UsageError(f"There is no device {device!r} here.")
    return Model(load_photo_model(name_or_path, device))


_cached_model = lru_cache(maxsize=4)(load_model)


def compress(
    image: Image.Image | NDArray[np.uint8], quality: float = 50, *, model: str = "photo", device: str = "cpu"
) -> bytes:
    """`Model.compress` with a model that is loaded once."""
    return _cached_model(model, device).compress(image, quality)


def decompress(data: bytes, *, device: str = "cpu", max_pixels: int = DEFAULT_LIMITS.pixels) -> Image.Image:
    """`Model.decompress` with the installed model that the file asks for."""
    name = find_model_by_id(read_decodable(data, max_pixels).header.codebook_id)
    return _cached_model(name, device).decompress(data, max_pixels=max_pixels)


def read_tokens(data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
    """`Model.read_tokens` with the installed model that the file asks for."""
    name = find_model_by_id(read_decodable(data, max_pixels).header.codebook_id)
    return _cached_model(name).read_tokens(data, max_pixels=max_pixels)


def write_tokens(tokens: Tokens) -> bytes:
    """`Model.write_tokens` with the installed model that the tokens are of."""
    return _cached_model(find_model_by_id(tokens.header.codebook_id)).write_tokens(tokens)


def _picture(pixels: NDArray[np.uint8]) -> Picture:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UsageError("Pixels must be a uint8 array of shape (height, width, 3).")
    return Picture(pixels)


def _check_shapes(tokens: Tokens, photo: PhotoModel) -> None:
    header = tokens.header
    places = stage_places(Rectangle(0, 0, header.width, header.height))
    shapes = [(g, y.stop, x.stop) for g, (y, x) in zip(photo.tokenizer.config.channels, places, strict=True)]
    if [s.shape for s in tokens.stages] != shapes:
        raise UsageError(f"The tokens have shapes {[s.shape for s in tokens.stages]} instead of {shapes}.")
    codes = photo.tokenizer.config.codes
    if any(s.size and not (int(s.min()) >= 0 and int(s.max()) < codes) for s in tokens.stages):
        raise UsageError(f"The tokens are not all indices into codebooks of {codes} codes.")


__all__ = ["CodecError", "Model", "Tokens", "compress", "decompress", "load_model", "read_tokens", "write_tokens"]
