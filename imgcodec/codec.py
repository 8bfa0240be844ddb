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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imgcodec import image as images
from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container, Section, SectionType
from imgcodec.bitstream.decodable import check_header, read_decodable
from imgcodec.bitstream.entropy import RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.bitstream.header import QUALITY_MAX, QUALITY_UNIT, Header, Profile, Rectangle, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.payload import check_payload
from imgcodec.image import Picture
from imgcodec.metadata import exif_density
from imgcodec.model import PhotoModel, find_model_by_id, load_photo_model
from imgcodec.priors.choice import ChoosingEncoder
from imgcodec.priors.exact import exact_arithmetic
from imgcodec.priors.walk import walk_tile
from imgcodec.recovery import Recovery
from imgcodec.speed import keep_freed_memory
from imgcodec.tiling import Piece, analyse, scale, synthesise
from imgcodec.tokenizers.rvq import STRIDES

if TYPE_CHECKING:
    from imgcodec.rate_control import Target

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
    """Weights on a device, and the two directions of the codec. Make one with `load_model`.

    Several threads may use one model at the same time, and get what one thread would get.
    """

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
        return self.compress_picture(_picture(image), quality)

    def compress_to(self, image: Image.Image | NDArray[np.uint8], target: "Target") -> bytes:
        """As `compress`, at the quality that meets a target (`imgcodec.rate_control`).

        Raises CodecError for a target that no quality reaches.
        """
        from imgcodec import rate_control

        return rate_control.compress_to(self, _picture(image), target).data

    def decompress(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Image.Image:
        """The bytes of a .nic file -> the picture. Raises InvalidFileError, also for more than `max_pixels`, and
        ModelNotFoundError."""
        return images.to_pil(self.decompress_picture(data, max_pixels=max_pixels))

    def compress_picture(self, picture: Picture, quality: float = 50, verify: bool = False) -> bytes:
        """As `compress`, with what a picture has besides pixels.

        verify: reads the file back. Raises CodecError where it does not give what was put into it.
        """
        tokens, sections = self.encode(self.header(picture, quality), self.analyse(picture.pixels))
        data = container.write(tokens.header, [*sections, *images.picture_sections(picture)])
        if verify:
            self.check(data, tokens, picture)
        return data

    def decompress_picture(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Picture:
        """As `decompress`, with what a picture has besides pixels."""
        file = read_decodable(data, max_pixels)
        tokens = self._tokens_of(file)
        return images.apply_sections(self.detokenize(tokens), file)

    def recover(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Recovery:
        """What a damaged or cut .nic file still shows. A lost section costs its tile, or only its detail.

        Raises InvalidFileError where the header is not whole or no tile has anything left, ModelNotFoundError.
        """
        found = container.salvage(data, Limits(pixels=max_pixels))
        header, sections = found.file.header, found.file.sections
        check_header(header)
        self._check_model(header)
        stages = self._zero_tokens(header)
        shown, unreadable = [], []
        for index, data_of_tile in enumerate(found.tokens()):
            count = self._read_what_decodes(header, index, data_of_tile, stages)
            shown.append(count)
            if count < len(data_of_tile):
                unreadable.append(index)
        if not any(shown):
            raise InvalidFileError("The file is cut short or damaged: nothing of the picture is left.")
        others: dict[SectionType, bool] = {
            s.type: _unpacks(s, header) for s in sections if s.type != SectionType.TOKENS
        }
        sound = tuple(section for section in sections if others.get(section.type, True))
        return Recovery(
            images.apply_sections(self.detokenize(Tokens(header, stages)), replace(found.file, sections=sound)),
            coarse=tuple(index for index, count in enumerate(shown) if 0 < count < header.stage_count),
            flat=tuple(index for index, count in enumerate(shown) if count == 0),
            unreadable=tuple(unreadable),
            left_out=tuple(kind for kind, is_sound in others.items() if not is_sound),
            found=found,
        )

    def tokenize(self, pixels: NDArray[np.uint8], quality: float = 50) -> Tokens:
        """Pixels uint8 (H, W, 3) -> the tokens that `compress` writes. Raises UsageError for a quality out of range."""
        return self.encode(self.header(_picture(pixels), quality), self.analyse(pixels))[0]

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
        return container.write(
            tokens.header, self._encode(tokens.header, tokens.stages, lambda _: RangeEncoder(self.photo.tables))[1]
        )

    def read_tokens(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
        """The tokens of a file. Raises as `decompress`."""
        return self._tokens_of(read_decodable(data, max_pixels))

    def check(self, data: bytes, tokens: Tokens, picture: Picture) -> None:
        """Raises CodecError unless a file has the tokens that were chosen, and the picture's alpha and metadata."""
        try:
            # the caller has let a picture of this size in, whatever the default is
            file = container.read(data, Limits(pixels=max(DEFAULT_LIMITS.pixels, picture.width * picture.height)))
            read = self._tokens_of(file)
            back = images.apply_sections(picture.pixels, file)
        except InvalidFileError as error:
            raise CodecError(f"The file that was made is not sound, and was thrown away: {error}") from error
        kept = [
            (p.icc or None, p.exif or None, p.xmp or None, p.gray, p.density or exif_density(p.exif))
            for p in (picture, back)
        ]
        same_tokens = read.header == tokens.header and read.sha256() == tokens.sha256()
        if not same_tokens or kept[0] != kept[1] or not _same(picture.alpha, back.alpha):
            raise CodecError("The file that was made does not decode to what was put into it, and was thrown away.")

    def header(self, picture: Picture, quality: float) -> Header:
        """Of the file that `compress_picture` makes. Raises UsageError for a quality out of range."""
        if not 0 <= quality <= 100:
            raise UsageError(f"The quality is {quality:g}, and must be between 0 and 100.")
        return Header(
            width=picture.width, height=picture.height, colour_mode=images.colour_mode(picture), bit_depth=8,
            profile=Profile.PHOTO, tune=Tune.PSNR, quality=round(quality * QUALITY_UNIT),
            tile_size=TILE_SIZE if max(picture.width, picture.height) > TILE_SIZE else 0,
            stage_count=len(STRIDES), codebook_id=self.id,
        )  # fmt: skip

    def analyse(self, pixels: NDArray[np.uint8]) -> Iterator[Piece]:
        """What `encode` takes, for any quality, of pixels uint8 (H, W, 3): each piece when it is asked for."""
        return analyse(self.photo.tokenizer, pixels, self.photo.device)

    def encode(self, header: Header, pieces: Iterable[Piece]) -> tuple[Tokens, list[Section]]:
        """A picture at the header's quality: its tokens, chosen as they are written, and their sections."""
        size = (header.height, header.width)
        with exact_arithmetic():  # no TF32: it would cost more than a grey level
            values = scale(self.photo.tokenizer, pieces, size, self._level(header))
        tables, slices = self.photo.tables, self.photo.prior.config.slices

        def coder(stage: int) -> RangeEncoder:  # stage 0 is settled: stage 1 is what it leaves
            return ChoosingEncoder(tables, slices[stage]) if stage else RangeEncoder(tables)

        return self._encode(header, values, coder)

    def _encode(
        self,
        header: Header,
        stages: Sequence[NDArray[np.int16] | NDArray[np.float16]],
        coder: Callable[[int], RangeEncoder],
    ) -> tuple[Tokens, list[Section]]:
        """Tokens, or real numbers for a coder that chooses, -> the tokens that were written, and their sections.

        coder: makes one for a stage of a tile.
        """
        written, sections = [np.empty(s.shape, np.int16) for s in stages], []
        for index in range(header.tile_count):
            coders = [coder(stage) for stage in range(len(stages))]
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
        self._check_model(header)
        stages = self._zero_tokens(header)
        data = file.tokens()
        for index in range(header.tile_count):
            self._read_tile(header, index, data[index :: header.tile_count], stages)
        return Tokens(header, stages)

    def _read_what_decodes(
        self, header: Header, index: int, data: Sequence[bytes], stages: list[NDArray[np.int16]]
    ) -> int:
        """As `_read_tile`, leaving off the last stages where they do not decode. Returns how many did."""
        for count in range(len(data), 0, -1):
            try:
                self._read_tile(header, index, data[:count], stages)
            except InvalidFileError:
                continue
            return count
        return 0

    def _check_model(self, header: Header) -> None:
        if header.codebook_id != self.id:
            raise ModelNotFoundError(f"The file was made with model {header.codebook_id.hex()}, not with {self.name}.")

    def _zero_tokens(self, header: Header) -> list[NDArray[np.int16]]:
        """Stages of nothing but zero codewords. They add nothing to the latent, and decode to flat gray."""
        whole = stage_places(Rectangle(0, 0, header.width, header.height))
        groups = self.photo.tokenizer.config.channels
        return [np.full((g, y.stop, x.stop), self._zero, np.int16) for g, (y, x) in zip(groups, whole, strict=True)]

    def _read_tile(self, header: Header, index: int, data: Sequence[bytes], stages: list[NDArray[np.int16]]) -> None:
        """Decodes the data of a tile's first stages, and puts the tokens into their places among those of the picture.

        Raises InvalidFileError, and puts nothing there, for data that no encoder makes."""
        coders = [RangeDecoder(self.photo.tables, d) for d in data]
        places = stage_places(header.tile_rectangle(index))
        sizes = [(y.stop - y.start, x.stop - x.start) for y, x in places]
        with exact_arithmetic():
            tile = walk_tile(self.photo.prior, coders, sizes, header.quality, None, self._zero)
        for stage, (y, x), tokens in zip(stages, places, tile, strict=False):
            stage[:, y, x] = tokens

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
    keep_freed_memory()
    return Model(load_photo_model(name_or_path, device))


_cached_model = lru_cache(maxsize=4)(load_model)


def compress(
    image: Image.Image | NDArray[np.uint8], quality: float = 50, *, model: str = "photo", device: str = "cpu"
) -> bytes:
    """`Model.compress` with a model that is loaded once."""
    return _cached_model(model, device).compress(image, quality)


def compress_to(
    image: Image.Image | NDArray[np.uint8], target: "Target", *, model: str = "photo", device: str = "cpu"
) -> bytes:
    """`Model.compress_to` with a model that is loaded once."""
    return _cached_model(model, device).compress_to(image, target)


def decompress(data: bytes, *, device: str = "cpu", max_pixels: int = DEFAULT_LIMITS.pixels) -> Image.Image:
    """`Model.decompress` with the installed model that the file asks for."""
    name = find_model_by_id(read_decodable(data, max_pixels).header.codebook_id)
    return _cached_model(name, device).decompress(data, max_pixels=max_pixels)


def read_tokens(data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
    """`Model.read_tokens` with the installed model that the file asks for."""
    name = find_model_by_id(read_decodable(data, max_pixels).header.codebook_id)
    return _cached_model(name).read_tokens(data, max_pixels=max_pixels)


def recover(data: bytes, *, device: str = "cpu", max_pixels: int = DEFAULT_LIMITS.pixels) -> Recovery:
    """`Model.recover` with the installed model that the file asks for."""
    header = container.salvage(data, Limits(pixels=max_pixels)).file.header
    check_header(header)
    return _cached_model(find_model_by_id(header.codebook_id), device).recover(data, max_pixels=max_pixels)


def write_tokens(tokens: Tokens) -> bytes:
    """`Model.write_tokens` with the installed model that the tokens are of."""
    return _cached_model(find_model_by_id(tokens.header.codebook_id)).write_tokens(tokens)


def _same(a: NDArray[np.uint8] | None, b: NDArray[np.uint8] | None) -> bool:
    return a is b if a is None or b is None else np.array_equal(a, b)


def _unpacks(section: Section, header: Header) -> bool:
    try:
        check_payload(section, header)
    except InvalidFileError:
        return False
    return True


def _picture(image: Image.Image | NDArray[np.uint8]) -> Picture:
    if isinstance(image, Image.Image):
        return images.load(image)
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UsageError("A picture must be a PIL image, or a uint8 array of shape (height, width, 3).")
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
