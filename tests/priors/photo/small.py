"""A small prior with random weights, in float and in integers, and the parameters that it predicts."""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.integer.trainable import Attention, LevelTable, calibrate, export
from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.photo.windows import checkerboard_half

CONFIG = PhotoPriorConfig(
    width=8,
    hidden=12,
    heads=2,
    slices=((1, 2), (2, 1, 2)),
    windows=(2, 4),
    attention=((True, False), (True, False, True)),
    levels=3,
)
GROUPS = [sum(slices) for slices in CONFIG.slices]
ZERO = 511  # of 1023 codes


@lru_cache
def float_prior() -> PhotoPrior:
    """Random weights everywhere, calibrated on random tokens; not to be changed."""
    torch.manual_seed(1)
    prior = PhotoPrior(CONFIG)
    with torch.no_grad():
        for layer in prior.modules():
            for parameter in layer.parameters(recurse=False):
                inputs = parameter[0].numel() if parameter.dim() == 4 else 1
                nn.init.normal_(parameter, 0, 0.8 / inputs**0.5)
            match layer:
                case Attention():
                    nn.init.normal_(layer.position, 0, 0.5)
                case LevelTable():
                    nn.init.normal_(layer.rows, 0, 0.5)
        calibrate(
            prior, lambda: [parameters(prior, random_tokens((2, 3, 4), seed), torch.rand(2) * 2) for seed in range(4)]
        )
    return prior.requires_grad_(False)


@lru_cache
def exact_prior() -> PhotoPrior:
    """The same prior in integers."""
    prior = deepcopy(float_prior())
    export(prior)
    return prior


def random_tokens(size: tuple[int, int, int], seed: int) -> list[Tensor]:
    """Centred tokens of both stages on whole windows, (B, groups, h, w): mostly small, some over the whole range."""
    rng = np.random.default_rng(seed)
    batch, height, width = size
    tokens = []
    for groups, window, factor in zip(GROUPS, (CONFIG.windows[0], CONFIG.windows[0] * 4), (1, 4), strict=True):
        shape = (batch, groups, -(-factor * height // window) * window, -(-factor * width // window) * window)
        reach = rng.choice([1, 4, 16, 511], shape, p=[0.5, 0.3, 0.15, 0.05])
        tokens.append(torch.from_numpy(rng.integers(-reach, reach + 1)).float())
    return tokens


Step = tuple[int, int, int]  # stage, first group, parity


def parameters(
    prior: PhotoPrior, tokens: list[Tensor], level: Tensor | int, slices: int | None = None
) -> dict[Step, Tensor]:
    """The parameters of each step when the tokens are these, in the order of the steps."""
    seen: dict[Step, Tensor] = {}

    def code(stage: int, first: int, groups: int, numbers: Tensor, parity: int) -> Tensor:
        seen[stage, first, parity] = numbers.clone()
        return checkerboard_half(tokens[stage][:, first : first + groups], parity)

    batch, _, height, width = tokens[0].shape
    prior((batch, height, width), level, code, slices)
    return seen


def exactly(run: Callable[[], dict[Step, Tensor]]) -> dict[Step, Tensor]:
    """`run` inside exact arithmetic."""
    with exact_arithmetic():
        return run()
