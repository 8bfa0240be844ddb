"""The whole pipeline on one page.

            image.load            analysis, quantization       prior + entropy coder         container.write
 photo.png ───────────► pixels ─────────────────► tokens ─────────────────────► sections ───────────────► photo.nic
                          │     float, any device   │       integers only, exact    │    lengths, checksums
                          │                         │                               │
 photo.png ◄─────────── pixels ◄───────────────── tokens ◄───────────────────── sections ◄─────────────── photo.nic
            image.save       lookup, synthesis           prior + entropy decoder       container.read

Tokens are the narrow waist: nothing else crosses it, and to their right every machine computes the same integers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.bitstream.header import Header, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import PICTURE_SECTIONS, Section, SectionType, unpacks
from imgcodec.devices import resolve_device
from imgcodec.model_file.find import Version, find_model, find_model_by_id, version_of
from imgcodec.model_file.model import open_model
from imgcodec.pictures import io as images
from imgcodec.pictures.io import Picture
from imgcodec.pictures.sections import apply_sections, colour_mode, keeps, picture_sections
from imgcodec.profiles import load_codec
from imgcodec.profiles.decodable import check_header, read_decodable
from imgcodec.recovery import Recovery
from imgcodec.speed import keep_freed_memory
from imgcodec.tokens import Drawing, Stages, TokenCodec, Tokens

if TYPE_CHECKING:
    from imgcodec.rate_control import Target


MOST_EFFORT = 9


@dataclass(frozen=True)
class Model:
    """Weights on a device, and the two directions of the codec. Make one with `load_model`.

    Several threads may use one model at the same time, and get what one thread would get.
    """

    codec: TokenCodec

    @property
    def id(self) -> bytes:
        """The codebook id that files of this model carry."""
        return self.codec.id

    @property
    def name(self) -> str:
        """As in `load_model`."""
        return self.codec.name

    @property
    def tunes(self) -> list[str]:
        """What `compress` takes as a tune."""
        return [tune.name.lower() for tune in self.codec.tunes]

    @property
    def has_qualities(self) -> bool:
        """Whether `compress` takes a quality: some models have one rate only."""
        return self.codec.has_qualities

    def compress(
        self,
        image: Image.Image | NDArray[np.uint8],
        quality: float | None = None,
        tune: str | None = None,
        effort: int = 1,
    ) -> bytes:
        """A PIL image or uint8 (H, W, 3) -> the bytes of a .nic file.

        quality: 0..100, or None for the model's default, which for models of one rate is all there is. tune: psnr or
        visual, which is the default of models that have it. effort: 1 to 9, more of it for better pictures in about
        as many bytes, in more time and memory (`imgcodec.profiles.photo.refine`); what it chooses differs between
        machines. Raises UsageError for what the model does not have and for pixels of another type or shape.
        """
        return self.compress_picture(_picture(image), quality, tune, effort)

    def compress_to(
        self, image: Image.Image | NDArray[np.uint8], target: "Target", tune: str | None = None, effort: int = 1
    ) -> bytes:
        """As `compress`, at the quality that meets a target (`imgcodec.rate_control`).

        Raises CodecError for a target that no quality reaches.
        """
        from imgcodec import rate_control

        return rate_control.compress_to(self, _picture(image), target, tune, effort).data

    def decompress(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels, scale: int = 1) -> Image.Image:
        """The bytes of a .nic file -> the picture, `scale` times its size.

        Raises InvalidFileError, also for more than `max_pixels`, ModelNotFoundError, and UsageError for a scale that
        the model does not have.
        """
        return images.to_pil(self.decompress_picture(data, max_pixels=max_pixels, scale=scale))

    def compress_picture(
        self,
        picture: Picture,
        quality: float | None = None,
        tune: str | None = None,
        effort: int = 1,
        verify: bool = False,
    ) -> bytes:
        """As `compress`, with what a picture has besides pixels.

        verify: reads the file back. Raises CodecError where it does not give what was put into it.
        """
        header = self.header(picture, quality, tune)
        self.check_effort(effort)
        tokens, sections = self.encode(header, self.codec.analyse(picture.pixels), picture.pixels, effort)
        data = container.write(tokens.header, [*sections, *picture_sections(picture)])
        if verify:
            self.check(data, tokens, picture)
        return data

    def check_effort(self, effort: int) -> None:
        """Raises UsageError for an effort out of range, and for more than 1 where there is nothing to choose."""
        if type(effort) is not int or not 1 <= effort <= MOST_EFFORT:
            raise UsageError(f"The effort is {effort}, and must be a whole number between 1 and {MOST_EFFORT}.")
        if effort > 1 and not self.has_qualities:
            raise UsageError(f"The model {self.name} has one way to code a picture: it takes no effort.")

    def encode(
        self, header: Header, analysis: Iterable[Any], pixels: NDArray[np.uint8], effort: int
    ) -> tuple[Tokens, list[Section]]:
        """Tokens and their sections, of pixels uint8 (H, W, 3) and what `codec.analyse` made of them."""
        tokens, sections = self.codec.encode(header, analysis)
        if effort > 1:
            tokens = self.codec.refine(tokens, pixels, effort)
            sections = self.codec.write(tokens)
        return tokens, sections

    def decompress_picture(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels, scale: int = 1) -> Picture:
        """As `decompress`, with what a picture has besides pixels."""
        file = read_decodable(data, max_pixels)
        self._check_scale(scale)
        if scale > 1 and file.header.width * file.header.height * scale**2 > max_pixels:
            raise InvalidFileError(f"The picture has more than {max_pixels} pixels at scale {scale}.")
        tokens = self._tokens_of(file)
        return apply_sections(self.detokenize(tokens, scale), file, scale)

    def recover(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Recovery:
        """What a damaged or cut .nic file still shows. A lost section costs its tile, or only its detail.

        Raises InvalidFileError where the header is not whole or no tile has anything left, ModelNotFoundError.
        """
        found = container.salvage(data, Limits(pixels=max_pixels))
        header, sections = found.file.header, found.file.sections
        check_header(header)
        self._check_model(header)
        self._check_fit(header)
        stages = self.codec.empty(header)
        shown, unreadable = [], []
        for index, data_of_tile in enumerate(found.tokens()):
            count = self._read_what_decodes(header, index, data_of_tile, stages)
            shown.append(count)
            if count < len(data_of_tile):
                unreadable.append(index)
        if not any(shown):
            raise InvalidFileError("The file is cut short or damaged: nothing of the picture is left.")
        others = {s.type: unpacks(s, header) for s in sections if s.type in PICTURE_SECTIONS}
        sound = tuple(section for section in sections if others.get(section.type, True))
        return Recovery(
            apply_sections(self.detokenize(Tokens(header, stages)), replace(found.file, sections=sound)),
            coarse=tuple(index for index, count in enumerate(shown) if 0 < count < header.stage_count),
            flat=tuple(index for index, count in enumerate(shown) if count == 0),
            unreadable=tuple(unreadable),
            left_out=tuple(kind for kind, is_sound in others.items() if not is_sound),
            found=found,
        )

    def tokenize(self, pixels: NDArray[np.uint8], quality: float | None = None, tune: str | None = None) -> Tokens:
        """Pixels uint8 (H, W, 3) -> the tokens that `compress` writes. Raises UsageError as `compress` does."""
        header = self.header(_picture(pixels), quality, tune)
        return self.codec.choose(header, self.codec.analyse(pixels))

    def detokenize(self, tokens: Tokens, scale: int = 1) -> NDArray[np.uint8]:
        """Tokens, or the first of their stages -> pixels uint8 (scale * H, scale * W, 3)."""
        self._check_fit(tokens.header)
        self._check_scale(scale)
        return self.codec.synthesise(tokens, scale)

    def generate(
        self,
        count: int,
        size: tuple[int, int] = (256, 256),
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        prefix: NDArray[np.uint8] | None = None,
        prefix_rows: int | None = None,
    ) -> list[Tokens]:
        """Tokens of pictures that nobody took, drawn from what the prior expects of them. `detokenize` shows them.

        size: (width, height), at most a tile. temperature: 1 draws as the prior predicts, less takes likelier tokens, 0
        the likeliest. top_k: draws among so many likeliest values; 0 among all. prefix: a picture, fitted to the size,
        of which the first rows of tokens of the finest stage are kept, and what covers them of the others:
        `prefix_rows`, or half of them. Raises UsageError for a model whose prior is not made for that, and for values
        out of range.
        """
        start = None if prefix is None else _picture(prefix).pixels
        return self.codec.generate(count, size, Drawing(temperature, top_k, seed, start, prefix_rows))

    def write_tokens(self, tokens: Tokens) -> bytes:
        """A file of these tokens. Raises UsageError where they are not of this model or not of the header's shape."""
        self.check_tokens(tokens)
        return container.write(tokens.header, self.codec.write(tokens))

    def check_tokens(self, tokens: Tokens) -> None:
        """Raises UsageError where tokens are not of this model, not of the header's shape, or no codes of it."""
        if tokens.header.codebook_id != self.id:
            raise UsageError("The tokens are of another model.")
        try:
            self._check_fit(tokens.header)
        except InvalidFileError as error:
            raise UsageError(str(error)) from None
        self.codec.check(tokens)

    def read_tokens(self, data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
        """The tokens of a file. Raises as `decompress`."""
        return self._tokens_of(read_decodable(data, max_pixels))

    def check(self, data: bytes, tokens: Tokens, picture: Picture) -> None:
        """Raises CodecError unless a file has the tokens that were chosen, and the picture's alpha and metadata."""
        try:
            # the caller has let a picture of this size in, whatever the default is
            file = container.read(data, Limits(pixels=max(DEFAULT_LIMITS.pixels, picture.width * picture.height)))
            read = self._tokens_of(file)
            kept = keeps(file, picture)
        except InvalidFileError as error:
            raise CodecError(f"The file that was made is not sound, and was thrown away: {error}") from error
        if not kept or read.header != tokens.header or read.sha256() != tokens.sha256():
            raise CodecError("The file that was made does not decode to what was put into it, and was thrown away.")

    def header(self, picture: Picture, quality: float | None = None, tune: str | None = None) -> Header:
        """Of the file that `compress_picture` makes. Raises UsageError as `compress` does."""
        if tune is not None and tune not in self.tunes:
            raise UsageError(f"The model {self.name} has no tune {tune!r}, only {' and '.join(self.tunes)}.")
        header = self.codec.header(
            (picture.width, picture.height),
            quality,
            None if tune is None else Tune[tune.upper()],
            colour_mode(picture),
            picture.bit_depth,
        )
        if header.tile_count * header.stage_count + len(SectionType) > DEFAULT_LIMITS.sections:
            raise UsageError(
                f"A picture of {picture.width} x {picture.height} takes more sections than a file can have."
            )
        return header

    def _tokens_of(self, file: Container) -> Tokens:
        header = file.header
        self._check_model(header)
        self._check_fit(header)
        stages, data, tiles = self.codec.empty(header), file.tokens(), range(header.tile_count)
        self.codec.read(header, tiles, [data[i :: header.tile_count] for i in tiles], stages)
        return Tokens(header, stages)

    def _read_what_decodes(self, header: Header, index: int, data: Sequence[bytes], stages: Stages) -> int:
        """Reads a tile, leaving off the last stages where they do not decode. Returns how many did."""
        for count in range(len(data), 0, -1):
            try:
                self.codec.read(header, [index], [data[:count]], stages)
            except InvalidFileError:
                continue
            return count
        return 0

    def _check_model(self, header: Header) -> None:
        if header.codebook_id != self.id:
            raise ModelNotFoundError(f"The file was made with model {header.codebook_id.hex()}, not with {self.name}.")

    def _check_fit(self, header: Header) -> None:
        """Raises InvalidFileError for a header that this model does not write."""
        codec = self.codec
        if header.profile != codec.profile or header.stage_count != codec.stage_count or header.tune not in codec.tunes:
            profile, tune = header.profile.name.lower(), header.tune.name.lower()
            raise InvalidFileError(
                f"The file is of profile {profile}, {header.stage_count} stages and tune {tune}, "
                f"and its model {self.name} makes no such files."
            )

    def _check_scale(self, scale: int) -> None:
        if scale not in self.codec.scales:
            known = ", ".join(map(str, self.codec.scales))
            raise UsageError(f"The model {self.name} decodes at scale {known}, not at {scale}.")


def load_model(name_or_path: str | Path = "photo", device: torch.device | str = "cpu") -> Model:
    """A model, to be used for many images.

    name_or_path: an installed model, or a .safetensors file. device: cpu, cuda, cuda:1, mps, a torch.device, or auto
    for a GPU where there is one. Raises ModelNotFoundError, UsageError for a device that is not there, CodecError for a
    damaged model.
    """
    place = resolve_device(device)
    keep_freed_memory()
    with torch.inference_mode(False):  # weights that were made in it could never be in a gradient, which effort takes
        return Model(load_codec(open_model(name_or_path), place))


def _cached_model(name_or_path: str | Path, device: torch.device | str = "cpu") -> Model:
    """As `load_model`, but read once, as long as the file is the same."""
    return _load_version(version_of(find_model(name_or_path)), resolve_device(device))


@lru_cache(maxsize=4)
def _load_version(version: Version, device: torch.device) -> Model:
    return load_model(version.path, device)


def compress(
    image: Image.Image | NDArray[np.uint8],
    quality: float | None = None,
    *,
    tune: str | None = None,
    effort: int = 1,
    model: str = "photo",
    device: torch.device | str = "cpu",
) -> bytes:
    """`Model.compress` with a model that is loaded once."""
    return _cached_model(model, device).compress(image, quality, tune, effort)


def compress_to(
    image: Image.Image | NDArray[np.uint8],
    target: "Target",
    *,
    tune: str | None = None,
    effort: int = 1,
    model: str = "photo",
    device: torch.device | str = "cpu",
) -> bytes:
    """`Model.compress_to` with a model that is loaded once."""
    return _cached_model(model, device).compress_to(image, target, tune, effort)


def decompress(
    data: bytes, *, device: torch.device | str = "cpu", max_pixels: int = DEFAULT_LIMITS.pixels, scale: int = 1
) -> Image.Image:
    """`Model.decompress` with the installed model that the file asks for."""
    name = find_model_by_id(read_decodable(data, max_pixels).header.codebook_id)
    return _cached_model(name, device).decompress(data, max_pixels=max_pixels, scale=scale)


def read_tokens(data: bytes, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
    """`Model.read_tokens` with the installed model that the file asks for."""
    name = find_model_by_id(read_decodable(data, max_pixels).header.codebook_id)
    return _cached_model(name).read_tokens(data, max_pixels=max_pixels)


def recover(data: bytes, *, device: torch.device | str = "cpu", max_pixels: int = DEFAULT_LIMITS.pixels) -> Recovery:
    """`Model.recover` with the installed model that the file asks for."""
    header = container.salvage(data, Limits(pixels=max_pixels)).file.header
    check_header(header)
    return _cached_model(find_model_by_id(header.codebook_id), device).recover(data, max_pixels=max_pixels)


def write_tokens(tokens: Tokens) -> bytes:
    """`Model.write_tokens` with the installed model that the tokens are of."""
    return _cached_model(find_model_by_id(tokens.header.codebook_id)).write_tokens(tokens)


def _picture(image: Image.Image | NDArray[np.uint8]) -> Picture:
    if isinstance(image, Image.Image):
        return images.load(image)
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UsageError("A picture must be a PIL image, or a uint8 array of shape (height, width, 3).")
    return Picture(pixels)
