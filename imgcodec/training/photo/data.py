"""What `photo` models learn from: photographs, and the trade-off of each level."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from imgcodec.training import distributed
from imgcodec.training.data import CropsOnDevice, random_crops


@dataclass(frozen=True)
class Lambdas:
    """The rate-distortion trade-off lambda of each level, log-spaced."""

    lowest: float = 0.0008
    highest: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest:
            raise ValueError("lambdas must be above 0, the lowest below the highest")

    def at(self, level: Tensor, levels: int) -> Tensor:
        """Lambda of fractional levels, 0 to `levels` - 1."""
        span = math.log(self.highest / self.lowest)
        return self.lowest * torch.exp(level * (span / (levels - 1)))


@dataclass(frozen=True)
class PhotoData:
    """photographs: to train on, uint8 (H, W, 3). development: to validate on, likewise, sides multiples of 256."""

    photographs: list[np.ndarray]
    development: list[np.ndarray]
    lambdas: Lambdas = Lambdas()
    crop: int = 256
    batch: int = 8
    seed: int = 1
    device: torch.device = distributed.CPU

    @cached_property
    def random_crops(self) -> Callable[[int, int, np.random.Generator], Tensor]:
        """`random_crops` of these photographs, on a GPU whose free memory is at least twice theirs."""
        size = sum(p.size for p in self.photographs)
        if self.device.type == "cuda" and 2 * size <= torch.cuda.mem_get_info(self.device)[0]:
            return CropsOnDevice(self.photographs, self.device).random_crops
        return partial(random_crops, self.photographs)


def random_levels(count: int, levels: int, rng: np.random.Generator) -> Tensor:
    """(count,), one in each of as many equal parts of the range: levels differ more in their losses than pictures."""
    return torch.from_numpy((rng.permutation(count) + rng.random(count)) / count).float() * (levels - 1)


def as_batch(picture: np.ndarray, device: torch.device) -> Tensor:
    """A picture uint8 (H, W, 3) -> (1, 3, H, W) in 0..1."""
    return torch.from_numpy(np.array(picture)).to(device).permute(2, 0, 1)[None].float().div(255)


def as_shown(decoded: Tensor) -> Tensor:
    """Pixels around 0..1, in the gray levels that a picture of 8 bits has."""
    return (decoded * 255).round().clamp(0, 255) / 255
