"""Pictures from and to ordinary image files. Knows Pillow, never torch.

      file ──► PIL image ──► Picture ──► PIL image ──► file

Files are untrusted input: the size is checked before pixels are decoded, and whatever Pillow raises becomes an
InvalidFileError. Metadata that Pillow cannot read does not stop the picture.
"""

import io
from collections.abc import Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.header import SIGNATURE
from imgcodec.bitstream.limits import DEFAULT_LIMITS, check_size
from imgcodec.exact.plugins import load_plugin, save
from imgcodec.pictures import carried, chunks, deep_png, ends, wide_tiff
from imgcodec.pictures.formats import png, tiff
from imgcodec.pictures.modes import Pixels
from imgcodec.pictures.picture import Picture, reduced
from imgcodec.pictures.pil_images import from_image, to_pil
from imgcodec.pictures.pillow_limit import without_pillow_limit
from imgcodec.pillow_errors import PillowError, pillow_errors
from imgcodec.storage import files

# Formats to read: those that are told by their first bytes and need no other program (EPS would start one).
_READ = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "AVIF", "JPEG2000", "QOI")
_FREQUENT = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}  # and what their files begin with
# Formats to write, by the suffix of the name.
_WRITTEN = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
}
_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "PPM": {},
}
_QUICK = {"PNG": {"compress_level": 4}}  # of a photograph 2 % more bytes than 6, in 0.4 of the time; of drawings 6 to 9
_PIXEL_BYTES = 8  # of 16-bit RGBA, uncompressed
_FILE_ROOM = 2**26  # bytes of an image file besides its pixels


def load(source: files.FileLike | Image.Image | Pixels, max_pixels: int = DEFAULT_LIMITS.pixels) -> Picture:
    """A Picture from a path (`-` is standard input), a file's bytes, a binary file object, a PIL image of any mode, or
    an array uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), whose fourth channel is alpha.

    Raises InvalidFileError for what is damaged, over `max_pixels` or not an image, CodecError where there is no such
    file, UsageError for an array of another kind and for anything else.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _from_pil(source, max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return from_bytes(bytes(source), "The input", max_pixels)
    if isinstance(source, str | PathLike) or hasattr(source, "read"):
        data = files.read(source, _FILE_ROOM + _PIXEL_BYTES * max_pixels)
        return from_bytes(data, files.name_of(source), max_pixels)
    raise UsageError(
        "A picture is a path, a binary file object, a PIL image, or uint8 samples in an array or tensor, "
        f"not of the type {type(source).__name__}."
    )


def is_image(data: bytes) -> bool:
    """Whether bytes are an image file of a kind that can be read, as far as its beginning tells."""
    try:
        with pillow_errors(), Image.open(io.BytesIO(data), formats=_formats(data)):
            return True
    except PillowError:
        return False


def _formats(data: bytes) -> tuple[str, ...]:
    """The formats that an image file can have, by its beginning."""
    for beginning, name in _FREQUENT.items():
        if data.startswith(beginning):
            return (name,)
    return _all_formats()


@cache
def _all_formats() -> tuple[str, ...]:
    """Pillow imports some fifty modules for all that it knows, which takes longer than to read a small picture."""
    for name in _READ:
        load_plugin(name)
    Image.init()
    return tuple(name for name in _READ if name in Image.OPEN)  # Pillow can be built without some of them


def format_of(path: str | Path) -> str:
    """The image format of a name's suffix; PNG for `-`. Raises UsageError for other suffixes."""
    if str(path) == files.STANDARD:
        return "PNG"
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITTEN:
        other = f"as {suffix!r}" if suffix else "under a name without suffix"
        raise UsageError(f"Pictures are written as {', '.join(_WRITTEN)}, not {other}.")
    return _WRITTEN[suffix]


def encode(picture: Picture, format: str, is_photograph: bool = False) -> tuple[bytes, list[str]]:
    """The bytes of an image file (PNG, WebP, TIFF and PPM are lossless), and notes on what the format cannot hold.
    is_photograph: there is little that a PNG could find in it.

    Raises CodecError where it cannot hold the picture.
    """
    image = to_pil(picture)
    options_of_metadata, notes = carried.options(picture, format)
    if picture.alpha is not None and format in ("JPEG", "PPM"):
        image = image.convert(image.mode.removesuffix("A"))
        if picture.alpha.min() < 255:
            notes.append(f"{format} has no transparency, which was left out")
    options = _OPTIONS[format] | (_QUICK.get(format, {}) if is_photograph else {})
    try:
        with pillow_errors():
            try:
                file = _pillow_encode(image, format, options | options_of_metadata)
            except PillowError:
                if not options_of_metadata:
                    raise
                # Pillow parses some of the metadata, and fails. The picture alone is better than nothing.
                return _pillow_encode(image, format, options), [*notes, f"its metadata do not fit into {format}"]
            if picture.wide is not None and format == "PNG":
                file = deep_png.deepened(file, picture.wide, picture.bit_depth)
            elif picture.wide is not None:
                notes.append(reduced(picture.bit_depth))
            file, more = carried.finished(file, picture, format)
            return file, [*notes, *more]
    except PillowError as error:
        raise CodecError(
            f"A picture of {picture.width} x {picture.height} cannot be written as {format}: {error}."
        ) from error


def png_bytes(picture: Picture) -> int:
    """Bytes of a PNG of a picture, made in haste: others are smaller still."""
    metadata_bytes = sum(len(part) for part in (picture.icc, picture.exif, picture.xmp) if part)
    return len(_pillow_encode(to_pil(picture), "PNG", {"compress_level": 1})) + metadata_bytes


@pillow_errors()
def _pillow_encode(image: Image.Image, format: str, options: Mapping[str, Any]) -> bytes:
    # A copy without `info`, whose content Pillow would write, too.
    bare = image.copy()
    bare.info = {}
    return save(bare, format, **options)


def _from_array(array: NDArray[np.generic], max_pixels: int) -> Picture:
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    if array.dtype != np.uint8 or channels not in (1, 3, 4):
        raise UsageError(
            "A picture as an array is uint8 of the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), "
            f"not {array.dtype} {array.shape}."
        )
    _check_size((array.shape[1], array.shape[0]), max_pixels)
    samples = np.ascontiguousarray(array, np.uint8).reshape(*array.shape[:2], channels)
    if channels == 1:
        return Picture(np.repeat(samples, 3, axis=2), gray=True)
    alpha = np.ascontiguousarray(samples[..., 3]) if channels == 4 else None
    return Picture(np.ascontiguousarray(samples[..., :3]), alpha)


def _from_pil(image: Image.Image, max_pixels: int) -> Picture:
    _check_size(image.size, max_pixels)
    data = _file_of(image, _FILE_ROOM + _PIXEL_BYTES * max_pixels)
    try:
        with pillow_errors(), without_pillow_limit():
            return from_image(image, data, wide_tiff.preferred_layout(data))
    except PillowError as error:  # a PIL image decodes its file late
        if data:  # which may lack only its end, or have damaged metadata
            return from_bytes(data, "The image", max_pixels)
        raise InvalidFileError(f"The image cannot be decoded: {error}.") from error


def _file_of(image: Image.Image, room: int) -> bytes:
    """The file of a PIL image that is opened, but not decoded yet; empty where it is not known, or over `room`.

    Of what is decoded, Pillow does not say how many bits the samples had, and whether white was zero.
    """
    file = getattr(image, "fp", None)
    if not getattr(image, "tile", None) or file is None or image.tell() != 0:
        return b""
    try:
        place = file.tell()
        file.seek(0)
        data = file.read(room + 1)
        file.seek(place)
    except (OSError, ValueError):  # it is closed, or cannot go back
        return b""
    return data if len(data) <= room else b""


def from_bytes(data: bytes, name: str, max_pixels: int) -> Picture:
    """As `load` of a file's bytes. name: of the file, for messages."""
    if not data:
        raise InvalidFileError(f"{name} is empty.")
    if data.startswith(SIGNATURE):
        raise InvalidFileError(f"{name} is a .nic file already; imgcodec decompress makes a picture of it.")
    try:
        picture = _decode(data, max_pixels)
    except InvalidFileError as error:
        raise InvalidFileError(f"{name}: {error}") from None
    except PillowError as error:
        without = _decode_without_end(data, max_pixels) or _decode_without_metadata(data, max_pixels)
        if without is None:  # it was not the metadata: the first error counts
            if isinstance(error.__cause__, UnidentifiedImageError):
                raise InvalidFileError(f"{name} is not an image of a kind that can be read.") from None
            raise InvalidFileError(f"{name} cannot be decoded: {error}.") from error
        picture = without
    picture.file_bytes = len(data)
    return picture


def _decode_without_end(data: bytes, max_pixels: int) -> Picture | None:
    """The picture of a JPEG that lacks only its end; None for any other file."""
    with without_pillow_limit():
        mended = ends.mended_jpeg(data)
    if mended is None:
        return None
    try:
        picture = _decode(mended, max_pixels)
    except (PillowError, InvalidFileError):  # there are damaged metadata, too
        return None
    picture.notes.insert(0, ends.NOTE)
    return picture


def _decode_without_metadata(data: bytes, max_pixels: int) -> Picture | None:
    """The picture of a file whose metadata Pillow cannot read: without the kind that it fails on, or without all of
    them. None where the metadata are not what is wrong.
    """
    parts = chunks.parts(data)
    kinds = sorted({name for name, _ in parts if chunks.is_metadata(name)})
    if not kinds:
        return None
    try:
        picture = _decode(chunks.without(parts, set(kinds)), max_pixels)
    except (PillowError, InvalidFileError):
        return None
    note = "its metadata cannot be read and was left out"
    for kind in kinds[:8] if len(kinds) > 1 else ():  # each is a picture to decode, and untrusted input says how many
        try:
            picture = _decode(chunks.without(parts, {kind}), max_pixels)
        except (PillowError, InvalidFileError):  # it is another one, or more than one
            continue
        note = f"its metadata of the kind {kind!r} cannot be read and was left out"
        break
    picture.notes.append(note)
    return picture


@pillow_errors()
def _decode(data: bytes, max_pixels: int) -> Picture:
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":  # Pillow allocates its canvas when it opens the file
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        _check_size((width, height), max_pixels)
    with without_pillow_limit():
        wide = wide_tiff.preferred_layout(data)
        try:
            image = Image.open(io.BytesIO(png.without_metadata(data)), formats=_formats(data))
        except UnidentifiedImageError:
            wide = wide_tiff.layout(data)
            if wide is None:
                raise
            image = Image.open(io.BytesIO(wide_tiff.stand_in(data)), formats=["TIFF"])
        with image:
            tiff.prepare(image)
            _check_size(image.size, max_pixels)
            return from_image(image, data, wide)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise InvalidFileError(f"A picture of {width} x {height} has no pixels.")
    check_size(width, height, max_pixels)
