"""What users of the package call. Here arguments of any type become those that `imgcodec.codec` takes."""

import sys
import warnings
from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgcodec import codec as pipeline
from imgcodec import encoder, one_file, parts
from imgcodec.arguments import (
    checked_drawing,
    checked_tokens,
    described,
    is_dense,
    is_tensor,
    model_name,
    number,
    pair,
    pixels_of,
    region_numbers,
    tokens_of_codes,
)
from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import LossWarning, UsageError
from imgcodec.bitstream.header import Header, Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits, check_size, whole
from imgcodec.bitstream.salvage import Salvage
from imgcodec.pictures import io as images
from imgcodec.pictures.picture import Picture, kept_exactly
from imgcodec.pictures.pil_images import to_pil
from imgcodec.profiles import PROFILES
from imgcodec.profiles.decodable import header_of, read_decodable, region_of, salvage_decodable
from imgcodec.profiles.semantic.drawing import DrawingOptions, at_size
from imgcodec.rate_control import target_of
from imgcodec.recovery import Recovery
from imgcodec.storage.files import FileLike, contents, opened
from imgcodec.tokens import SamplingOptions, TokenCodec, Tokens

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

ImageLike: TypeAlias = Union[FileLike, Image.Image, NDArray[np.uint8], "Tensor"]
"""A path, the bytes of an image file, a binary file object, a PIL image of any mode, samples uint8 (H, W), (H, W, 1),
(H, W, 3) or (H, W, 4), or a tensor uint8 (3, H, W)."""


class Model:
    """Weights on a device, and the two directions of the codec. Make one with `imgcodec.load_model`.

    Several threads may use one model at the same time, and get what one thread would get.
    """

    def __init__(self, codec: TokenCodec) -> None:
        self._codec = codec

    def __repr__(self) -> str:
        return f"<imgcodec.Model {self.name} {self.id.hex()}>"

    @property
    def name(self) -> str:
        """As in `load_model`."""
        return self._codec.name

    @property
    def id(self) -> bytes:
        """The 8 bytes by which files of this model name it."""
        return self._codec.id

    @property
    def tunes(self) -> list[str]:
        """What is taken as a tune; the last one is the default, except for a target_psnr."""
        return [tune.name.lower() for tune in self._codec.tunes]

    @property
    def has_qualities(self) -> bool:
        """Whether a quality is taken: some models have one rate only."""
        return self._codec.has_qualities

    @property
    def tokenizer(self) -> "nn.Module":
        """Pictures to tokens and back: a plain module of PyTorch, on the device."""
        return self._codec.tokenizer

    @property
    def prior(self) -> "nn.Module":
        """What predicts tokens, in integers: a plain module of PyTorch, on the device."""
        return self._codec.prior

    def compress(
        self,
        image: ImageLike,
        *,
        quality: float | None = None,
        target_size: float | None = None,
        target_bpp: float | None = None,
        target_psnr: float | None = None,
        target_ssimulacra2: float | None = None,
        lossless: bool = False,
        exact: bool = True,
        tune: str | None = None,
        effort: int = 1,
        max_pixels: int = DEFAULT_LIMITS.pixels,
    ) -> bytes:
        """See `imgcodec.compress`."""
        numbers = [
            None if value is None else number(name, value)
            for name, value in (
                ("quality", quality),
                ("target size", target_size),
                ("target bpp", target_bpp),
                ("target PSNR", target_psnr),
                ("target SSIMULACRA2", target_ssimulacra2),
            )
        ]
        rate, size, bpp, psnr, likeness = numbers
        target, level = target_of(rate, size, bpp, psnr, likeness, lossless), whole("effort", effort)
        if lossless:
            return _compress_exactly(image, tune, level, max_pixels)
        picture = _picture(image, whole("max_pixels", max_pixels))
        result = encoder.encode_picture(self._codec, picture, rate, target, tune, level, exact=exact)
        _warn(image, [note for note in result.notes if note not in picture.notes])
        return result.data

    def decompress(
        self,
        data: FileLike,
        *,
        scale: int = 1,
        region: Sequence[int] | None = None,
        thumbnail: int | None = None,
        drawing: DrawingOptions | None = None,
        max_pixels: int = DEFAULT_LIMITS.pixels,
    ) -> Image.Image:
        """See `imgcodec.decompress`; raises ModelNotFoundError for a file of another model."""
        return _decompressed(data, self._codec_of, scale, region, thumbnail, drawing, max_pixels)

    def recover(self, data: FileLike, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Recovery:
        """See `imgcodec.recover`; raises ModelNotFoundError for a file of another model."""
        found = _salvaged(data, max_pixels)
        return pipeline.recover_picture(self._codec_of(found.file.header), found)

    def read_tokens(self, data: FileLike, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
        """See `imgcodec.read_tokens`; raises ModelNotFoundError for a file of another model."""
        file = _opened(data, max_pixels)
        return pipeline.read_tokens(self._codec_of(file.header), file)

    def write_tokens(self, tokens: Tokens) -> bytes:
        """A file of these tokens, which are those of this model or of an exact file. Raises UsageError for others, and
        where they are not of the header's shape."""
        return pipeline.write_tokens(self._codec_of(checked_tokens(tokens).header), tokens)

    def _codec_of(self, header: Header) -> TokenCodec:
        """Exact files are of no model."""
        return pipeline.codec_of(header) if header.profile == Profile.EXACT else self._codec

    def encode(self, x: "Tensor", *, quality: float | None = None, tune: str | None = None) -> "list[Tensor]":
        """Pictures (B, 3, H, W), real numbers in 0..1 -> their codes, int64, a tensor for each stage, coarse first.

        Of raster models they are (B, h, w), of all others (B, groups, h, w). They are those that a
        file has, so pictures are rounded to 8 bits, and their meaning depends on quality and tune. Raises UsageError
        for other tensors, and as `compress`.
        """
        rate = None if quality is None else number("quality", quality)
        import torch

        found = [pipeline.tokenize(self._codec, pixels, rate, tune).stages for pixels in pixels_of(x)]
        stages = [torch.from_numpy(np.stack(stage)).to(x.device, torch.int64) for stage in zip(*found, strict=True)]
        return stages if PROFILES[self._codec.profile].layout.is_grouped else [stage[:, 0] for stage in stages]

    def decode(
        self,
        codes: "Sequence[Tensor]",
        *,
        quality: float | None = None,
        tune: str | None = None,
        shape: tuple[int, int] | None = None,
        scale: int = 1,
    ) -> "Tensor":
        """Codes as `encode` gives them, of all stages or of the first -> pictures (B, 3, scale * H, scale * W), float32
        in 0..1.

        quality, tune: those that they were encoded with. shape: (H, W), which codes do not tell; without it, what they
        cover. Raises UsageError for codes that do not fit this model.
        """
        import torch

        rate = None if quality is None else number("quality", quality)
        tokens = tokens_of_codes(self._codec, codes, rate, tune, shape)
        pixels = [pipeline.detokenize(self._codec, t, whole("scale", scale)) for t in tokens]
        return torch.from_numpy(np.stack(pixels)).to(codes[0].device).permute(0, 3, 1, 2).float() / 255

    def generate(
        self,
        count: int,
        *,
        size: tuple[int, int] = (256, 256),
        temperature: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        prefix: ImageLike | None = None,
        prefix_rows: int | None = None,
    ) -> "list[Tensor]":
        """Samples from the prior: codes of `count` pictures, as `encode` gives them, for `decode`.

        size: (width, height), at most a tile. temperature: 1 draws as the prior predicts, less takes likelier tokens, 0
        the likeliest. top_k: draws among so many likeliest values; 0 among all. prefix: a picture, fitted to the size,
        of which the first rows of tokens of the finest stage are kept, `prefix_rows` or half of them, and the tokens of
        coarser stages that cover these. Raises UsageError for a model whose prior is not made for that, and for values
        out of range.
        """
        import torch

        start = None if prefix is None else _picture(prefix, DEFAULT_LIMITS.pixels).pixels
        rows = None if prefix_rows is None else whole("number of rows of a prefix", prefix_rows)
        sampling = SamplingOptions(
            number("temperature", temperature), whole("top_k", top_k), whole("seed", seed), start, rows
        )
        width, height = pair("size", size)
        drawn = self._codec.generate(whole("count", count), (width, height), sampling)
        return [torch.from_numpy(np.concatenate(s)).long() for s in zip(*(t.stages for t in drawn), strict=True)]


def load_model(
    name_or_path: str | PathLike[str] = "photo", *, device: "torch.device | str" = "cpu", engine: str = "auto"
) -> Model:
    """A model, to be used for many images.

    name_or_path: an installed model, a .safetensors file, or one in the hub, hf://owner/name. device: cpu, cuda,
    cuda:1, mps, a torch.device, or auto for a GPU where there is one. engine: what computes; onnx, ONNX Runtime, for
    models of the profile photo on the CPU; torch, for all models; or auto for onnx where it can be had. Both decode a
    file to the same tokens.

    Raises ModelNotFoundError, UsageError for a device and an engine that are not there, CodecError for a damaged model.
    """
    return Model(pipeline.load_codec(model_name(name_or_path), device, engine))


def compress(
    image: ImageLike,
    *,
    quality: float | None = None,
    target_size: float | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    target_ssimulacra2: float | None = None,
    lossless: bool = False,
    exact: bool = True,
    tune: str | None = None,
    effort: int = 1,
    model: str | PathLike[str] = "photo",
    device: "torch.device | str" = "cpu",
    max_pixels: int = DEFAULT_LIMITS.pixels,
) -> bytes:
    """A picture -> the bytes of a .nic file, with transparency and metadata.

    image: a path, a binary file object, a PIL image of any mode, an array uint8 (H, W), (H, W, 1), (H, W, 3) or
    (H, W, 4), or a tensor uint8 (3, H, W). What is lost of it on the way is warned of (LossWarning).

    quality: 0..100, may be fractional; 50 by default. Instead of it one target: target_size in bytes, at most 2 % under
    it; target_bpp, the same in bits per pixel; target_psnr in dB, at most 0.1 over it; target_ssimulacra2, at most 1
    over it. Models of one rate take neither. lossless: every sample is kept instead, of up to 16 bits, without a model;
    takes none of these, nor a tune or effort. exact: with models of the profile photo, pictures of under 64 x 64 pixels
    are lossless, too, and so is what is drawn, where that is worth its bytes; with a target where the file is not
    larger than it, or is the better one that meets it. tune: psnr or visual, which is the default of models that have
    it, except with a target_psnr. effort: 1 to 9, more of it for better pictures in about as many
    bytes, in more time and memory; what it chooses differs between machines. model, device: as in `load_model`; the
    model is loaded once.

    Raises UsageError for arguments out of range or of another type and for what the model does not have, CodecError for
    a target that no file meets, InvalidFileError for an image that cannot be read or has more than `max_pixels`.
    """
    if lossless:
        target_of(quality, target_size, target_bpp, target_psnr, target_ssimulacra2, lossless)
        return _compress_exactly(image, tune, effort, max_pixels)
    return _cached_model(model, device).compress(
        image,
        quality=quality,
        target_size=target_size,
        target_bpp=target_bpp,
        target_psnr=target_psnr,
        target_ssimulacra2=target_ssimulacra2,
        tune=tune,
        effort=effort,
        exact=exact,
        max_pixels=max_pixels,
    )


def decompress(
    data: FileLike,
    *,
    scale: int = 1,
    region: Sequence[int] | None = None,
    thumbnail: int | None = None,
    drawing: DrawingOptions | None = None,
    device: "torch.device | str" = "cpu",
    max_pixels: int = DEFAULT_LIMITS.pixels,
) -> Image.Image:
    """A .nic file -> a PIL image, `scale` times its size, with its metadata in `info`. Or a part of it.

    data: bytes, a path or a binary file object. region: (x, y, width, height) in pixels of the picture as it is
    decoded, that is upright; of lossless files and those of photo models. No more is decoded than the tiles that show
    there, and `max_pixels` is for the region; its EXIF states the size of the region and has no thumbnail. thumbnail:
    pixels of the longer side, if the picture has more; it comes with colour profile and alpha and no other metadata,
    and of the profile photo from a fraction of the tokens, where it is at most an eighth of the picture's size. Of a
    file object that can seek (and of a path), no more is read for these than the sections that are needed and the
    frames of the others, and only what is read is checked for damage. drawing: how the picture of a file of the profile
    semantic is drawn, in how many steps, from which seed, at which size.

    Raises InvalidFileError, also for more than `max_pixels`, ModelNotFoundError where the model of the file is not
    installed, and UsageError for a scale that it does not have, for a region that is not inside the picture, and for a
    drawing of a picture that is not drawn.
    """
    return _decompressed(
        data, lambda header: pipeline.codec_of(header, device=device), scale, region, thumbnail, drawing, max_pixels
    )


def recover(
    data: FileLike, *, device: "torch.device | str" = "cpu", max_pixels: int = DEFAULT_LIMITS.pixels
) -> Recovery:
    """What a damaged or cut .nic file still shows, and what is lost of it.

    data: bytes, a path or a binary file object. Raises InvalidFileError where the header is not whole or no tile has
    anything left, ModelNotFoundError.
    """
    found = _salvaged(data, max_pixels)
    return pipeline.recover_picture(pipeline.codec_of(found.file.header, device=device), found)


def read_tokens(data: FileLike, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Tokens:
    """The tokens of a .nic file: integers, without making a picture of them. data, errors: as for `decompress`."""
    file = _opened(data, max_pixels)
    return pipeline.read_tokens(pipeline.codec_of(file.header), file)


def write_tokens(tokens: Tokens) -> bytes:
    """The .nic file of these tokens. Raises UsageError for tokens that cannot be stored, ModelNotFoundError."""
    return pipeline.write_tokens(pipeline.codec_of(checked_tokens(tokens).header), tokens)


def _compress_exactly(image: ImageLike, tune: str | None, effort: int, max_pixels: int) -> bytes:
    if tune is not None or effort != 1:
        raise UsageError("A lossless file has one way to be made: it takes no tune and no effort.")
    picture = _picture(image, whole("max_pixels", max_pixels), lossless=True)
    return one_file.encode_exact(picture).data


def _cached_model(name_or_path: str | PathLike[str], device: "torch.device | str") -> Model:
    return Model(pipeline.cached_codec(model_name(name_or_path), device))


def _decompressed(
    data: FileLike,
    codec_of: Callable[[Header], TokenCodec],
    scale: int,
    region: Sequence[int] | None,
    thumbnail: int | None,
    drawing: DrawingOptions | None,
    max_pixels: int,
) -> Image.Image:
    """codec_of: gives the codec of a file."""
    if region is None and thumbnail is None:
        file = _opened(data, max_pixels)
        how = None if drawing is None else checked_drawing(drawing, file.header)
        codec = codec_of(file.header)
        if how is not None:
            from imgcodec.profiles.semantic.codec import with_drawing  # takes torch

            codec, file = with_drawing(codec, how), file if how.size is None else at_size(file, how.size)
        return to_pil(pipeline.decode_picture(codec, file, whole("scale", scale), max_pixels))
    if drawing is not None:
        raise UsageError("A picture is drawn whole: say its size, instead of a region or a thumbnail.")
    if region is not None and thumbnail is not None:
        raise UsageError("A region is shown at its own size: there is no thumbnail of it.")
    if scale != 1:
        raise UsageError("Regions and thumbnails are decoded at scale 1 alone.")
    most = whole("max_pixels", max_pixels)
    with opened(data, Limits(pixels=most).file_bytes) as slices:
        header = header_of(slices)
        place = None if region is None else region_of(header, *region_numbers(region))
        side = None if thumbnail is None else whole("thumbnail's side", thumbnail)
        codec = codec_of(header)
        if place is not None:
            return to_pil(parts.decode_region(codec, slices, place, most))
        assert side is not None
        return to_pil(parts.decode_thumbnail(codec, slices, side, most))


# Arguments


def _opened(data: FileLike, max_pixels: int) -> Container:
    most = whole("max_pixels", max_pixels)
    return read_decodable(contents(data, Limits(pixels=most).file_bytes), most)


def _salvaged(data: FileLike, max_pixels: int) -> Salvage:
    most = whole("max_pixels", max_pixels)
    return salvage_decodable(contents(data, Limits(pixels=most).file_bytes), most)


def _picture(image: ImageLike, max_pixels: int, lossless: bool = False) -> Picture:
    """The picture of whatever stands for one; what is lost on the way is warned of. lossless: see `kept_exactly`."""
    if is_tensor(image):
        import torch

        if not is_dense(image) or image.dtype != torch.uint8 or image.dim() != 3 or image.shape[0] != 3:
            raise UsageError(f"A picture as a tensor is uint8 of the shape (3, H, W), not {described(image)}.")
        check_size(image.shape[2], image.shape[1], max_pixels)  # before an expanded tensor is made whole
        picture = images.load(image.permute(1, 2, 0).contiguous().cpu().numpy(), max_pixels)
    else:
        picture = images.load(image, max_pixels)
    picture = kept_exactly(picture) if lossless else picture
    _warn(image, picture.notes)
    return picture


def _warn(image: ImageLike, notes: Sequence[str]) -> None:
    name = image if isinstance(image, str | PathLike) else "The picture"
    for note in notes:
        warnings.warn(f"{name}: {note}.", LossWarning, stacklevel=_depth_of_caller())


def _depth_of_caller() -> int:
    """How many calls above the function that asks the first one is that does not belong to this package."""
    depth = 1
    while sys._getframe(depth).f_globals.get("__name__", "").startswith("imgcodec."):
        depth += 1
    return depth
