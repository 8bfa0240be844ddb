"""Photographs for training: from tar shards or folders to random crops."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.pictures import io as image
from imgcodec.storage.files import reason

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".ppm", ".tif", ".tiff"}


def load_photographs(sources: list[Path], smallest: int) -> list[np.ndarray]:
    """All pictures of the tar files and folders with sides of at least `smallest` pixels, uint8 (H, W, 3).

    They stay in memory: two thousand crops of 512 x 512 take 1.5 GB. Raises UsageError where there is none, and for a
    damaged shard or picture.
    """
    photographs = []
    for source in sources:
        for name, data in _files(source):
            try:
                pixels = image.load(data).pixels  # with its limits: training data are untrusted input, too
            except InvalidFileError as error:
                raise UsageError(f"{name} in {source} is not a whole picture.") from error
            if min(pixels.shape[:2]) >= smallest:
                photographs.append(pixels)
    if not photographs:
        raise UsageError(f"There is no picture of at least {smallest} pixels in {', '.join(map(str, sources))}.")
    return photographs


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the pictures, by their suffix. Raises UsageError for what cannot be read."""
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.is_file() and _is_picture(p.name)):
            try:
                data = path.read_bytes()
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {reason(error)}.") from error
            yield path.name, data
        return
    try:
        with tarfile.open(source) as tar:
            for member in tar:
                file = tar.extractfile(member) if _is_picture(member.name) else None
                if file is not None:
                    yield member.name, file.read()
    except (tarfile.TarError, OSError) as error:
        raise UsageError(f"{source} is neither a folder nor a whole tar file.") from error


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def check_sizes(crop: int, batch: int, seed: int, threads: int) -> None:
    """Raises ValueError for crops and batches of nothing, for a seed that NumPy does not take, and for fewer threads
    than none."""
    for name, value, least in (("crop", crop, 1), ("batch", batch, 1), ("seed", seed, 0), ("threads", threads, 0)):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number, {least} or more")


def random_crops(photographs: list[np.ndarray], size: int, batch: int, rng: np.random.Generator) -> Tensor:
    """uint8 (batch, 3, size, size), channels last in memory. Photographs are equally likely, half of them mirrored."""
    crops = np.empty((batch, size, size, 3), np.uint8)
    for crop in crops:
        photograph = photographs[rng.integers(len(photographs))]
        top = rng.integers(photograph.shape[0] - size + 1)
        left = rng.integers(photograph.shape[1] - size + 1)
        view = photograph[top : top + size, left : left + size]
        crop[:] = view[:, ::-1] if rng.random() < 0.5 else view
    return torch.from_numpy(crops).permute(0, 3, 1, 2)


def centre_crop(pixels: NDArray[np.uint8], side: int, multiple: int) -> NDArray[np.uint8]:
    """The middle of a picture, with sides of at most `side`, multiples of `multiple`."""
    height, width = (min(side, n) // multiple * multiple for n in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
