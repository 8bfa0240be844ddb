"""Photographs for training: from tar shards or folders to random crops."""

import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

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

    def decode(file: tuple[Path, str, bytes]) -> NDArray[np.uint8]:
        source, name, data = file
        try:
            return image.load(data).pixels  # with its limits: training data are untrusted input, too
        except InvalidFileError as error:
            raise UsageError(f"{name} in {source} is not a whole picture.") from error

    with ThreadPoolExecutor() as pool:  # it is decoded in C, without Python's lock
        decoded = pool.map(decode, ((source, *file) for source in sources for file in _files(source)))
        photographs = [p for p in decoded if min(p.shape[:2]) >= smallest]
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
        if value < least:
            raise ValueError(f"{name} must be a whole number, {least} or more")


class Place(NamedTuple):
    """Where a crop comes from."""

    photograph: int
    top: int
    left: int
    mirrored: bool


def random_place(shapes: Sequence[tuple[int, ...]], size: int, rng: np.random.Generator) -> Place:
    """A crop of size x size of photographs of these shapes, which are equally likely, half of them mirrored."""
    photograph = int(rng.integers(len(shapes)))
    height, width, *_ = shapes[photograph]
    top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
    return Place(photograph, top, left, bool(rng.random() < 0.5))


def random_crops(photographs: list[np.ndarray], size: int, batch: int, rng: np.random.Generator) -> Tensor:
    """uint8 (batch, 3, size, size), channels last in memory; see `random_place`."""
    crops = np.empty((batch, size, size, 3), np.uint8)
    shapes = [p.shape for p in photographs]
    for crop in crops:
        photograph, top, left, mirrored = random_place(shapes, size, rng)
        view = photographs[photograph][top : top + size, left : left + size]
        crop[:] = view[:, ::-1] if mirrored else view
    return torch.from_numpy(crops).permute(0, 3, 1, 2)


class CropsOnDevice:
    """Photographs in the memory of a GPU, which cuts crops there: a processor takes longer for a large batch than the
    GPU for a step."""

    def __init__(self, photographs: list[np.ndarray], device: torch.device) -> None:
        self.shapes = [p.shape for p in photographs]
        self.begins = np.cumsum([0, *(p.size for p in photographs)])
        self.bytes = torch.from_numpy(np.concatenate([p.ravel() for p in photographs])).to(device)

    def random_crops(self, size: int, batch: int, rng: np.random.Generator) -> Tensor:
        """What the function of this name makes of the same photographs."""
        places = [random_place(self.shapes, size, rng) for _ in range(batch)]
        rows = [3 * self.shapes[p.photograph][1] for p in places]
        # the byte of each crop's first pixel, that of the last column where it is mirrored
        first = [
            int(self.begins[p.photograph]) + p.top * row + 3 * (p.left + (size - 1) * p.mirrored)
            for p, row in zip(places, rows, strict=True)
        ]
        numbers = torch.tensor([first, rows, [-3 if p.mirrored else 3 for p in places]])
        first_byte, row, column = numbers.to(self.bytes.device)[:, :, None, None, None]
        side = torch.arange(size, device=self.bytes.device)
        index = first_byte + side[:, None, None] * row + side[:, None] * column
        return self.bytes[index + torch.arange(3, device=self.bytes.device)].permute(0, 3, 1, 2)


def centre_crop(pixels: NDArray[np.uint8], side: int, multiple: int) -> NDArray[np.uint8]:
    """The middle of a picture, with sides of at most `side`, multiples of `multiple`."""
    height, width = (min(side, n) // multiple * multiple for n in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
