"""What is trained on: views of photographs, each as it is and as it may come back to be searched for."""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from imgcodec.pictures.square import as_square
from imgcodec.training.semantic.teacher import SIDE, Teacher

Pixels = NDArray[np.uint8]

WORK = 128  # pixels of the square that augmentations work on
LEAST_SHARE = 0.3  # of a photograph's area that a view shows
CHUNK = 64  # views that the teacher sees between two looks at the clock


@dataclass(frozen=True)
class Views:
    """`count` views of each photograph, the first of which is all of it, the others random parts; the same ones for the
    same seed.

    photographs: uint8 (H, W, 3). targets: of a teacher, (photographs, count, n), centred; None without one.
    """

    photographs: list[Pixels]
    count: int
    seed: int
    targets: Tensor | None = None

    def view(self, photograph: int, view: int) -> Pixels:
        """uint8 (h, w, 3)."""
        pixels = self.photographs[photograph]
        if view == 0:
            return pixels
        return random_part(pixels, LEAST_SHARE, np.random.default_rng((self.seed, photograph, view)))

    def digest(self) -> str:
        """SHA-256 of what the views show: other photographs, another order of them, count or seed have another one."""
        found = hashlib.sha256(f"{self.count} {self.seed}".encode())
        for pixels in self.photographs:
            found.update(f" {pixels.shape}".encode())
            found.update(np.ascontiguousarray(pixels).data)
        return found.hexdigest()

    def draw(self, batch: int, step: int, rank: int) -> list[tuple[int, int]]:
        """Photographs and views for a step: no photograph twice, unless there are too few."""
        rng = np.random.default_rng((self.seed, step, rank))
        number = len(self.photographs)
        photographs = rng.choice(number, batch, replace=batch > number)
        return [(int(p), int(v)) for p, v in zip(photographs, rng.integers(self.count, size=batch), strict=True)]


def teach(views: Views, teacher: Teacher) -> Tensor:
    """The teacher's vectors of all views, less their mean, float16 (photographs, count, 1280)."""
    numbers = [(p, v) for p in range(len(views.photographs)) for v in range(views.count)]
    parts = []
    for first in range(0, len(numbers), CHUNK):
        parts.append(teacher([as_square(views.view(*n), SIDE) for n in numbers[first : first + CHUNK]]))
    found = torch.cat(parts).float()
    return (found - found.mean(0)).half().reshape(len(views.photographs), views.count, -1)


def random_part(pixels: Pixels, least: float, rng: np.random.Generator) -> Pixels:
    """A rectangle of at least that share of a picture's area, with sides in proportions of 4 : 5 to 5 : 4 times the
    picture's."""
    height, width = pixels.shape[:2]
    share, stretch = rng.uniform(least, 1), rng.uniform(0.8, 1.25)
    h = min(height, max(1, round(height * (share / stretch) ** 0.5)))
    w = min(width, max(1, round(width * (share * stretch) ** 0.5)))
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    return pixels[top : top + h, left : left + w]


def augmented(view: Pixels, rng: np.random.Generator) -> Pixels:
    """uint8 (h, w, 3) -> (128, 128, 3): a part of the view, perhaps mirrored, brighter or darker, gray or as a JPEG."""
    part = random_part(view, 0.45, rng) if rng.random() < 0.8 else view
    pixels = as_square(part, WORK)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if rng.random() < 0.5:
        pixels = (pixels * rng.uniform(0.5, 1.5) + rng.uniform(-20, 20)).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        pixels = np.repeat((pixels @ np.array([0.299, 0.587, 0.114]))[..., None], 3, 2).round().astype(np.uint8)
    if rng.random() < 0.3:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=int(rng.integers(20, 70)))
        pixels = np.asarray(Image.open(file))
    return np.ascontiguousarray(pixels)


def as_tensor(pictures: list[Pixels]) -> Tensor:
    """Pictures of one size, uint8 (H, W, 3) -> (B, 3, H, W) in 0..1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div(255).contiguous()
