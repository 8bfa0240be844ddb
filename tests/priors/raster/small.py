"""Small raster priors with random weights, in float, with fake quantization and in integers."""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.integer.trainable import calibrate, export
from imgcodec.priors.integer.trainable_causal import Dense
from imgcodec.priors.raster.pixelcnn import PixelCNN
from imgcodec.priors.raster.protocol import DigitPosition, to_digits
from imgcodec.priors.raster.transformer import RasterTransformer, RasterTransformerConfig

MAKERS = {
    "raster": lambda: RasterTransformer(RasterTransformerConfig(12, 16, 2, 2, (5,), 300, (20, 16), 9)),
    "stages": lambda: RasterTransformer(RasterTransformerConfig(12, 16, 3, 2, (1, 2, 4), 30, (6, 5), 512)),
    "bits": lambda: RasterTransformer(RasterTransformerConfig(12, 16, 2, 1, (3, 3), 2**15, (32, 32, 32), 64)),
    "pixelcnn": lambda: PixelCNN(num_codes=300, latent_dim=8, image_size=6, num_blocks=2),
    "wide": lambda: PixelCNN(num_codes=7, latent_dim=4, image_size=5, num_blocks=2, kernel_size=5),
}
NAMES = list(MAKERS)


def sizes_of(prior, side: int, other: int) -> list[tuple[int, int]]:
    """Rows and columns of a tile: `side` and `other`, or what a full tile has, in the first stage."""
    rows, columns = min(side, prior.sides[0]), min(other, prior.sides[0])
    return [(rows * s // prior.sides[0], columns * s // prior.sides[0]) for s in prior.sides]


def random_tokens(prior, batch: int, sizes: list[tuple[int, int]], seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, prior.codebook_size, (batch, *size), generator=generator) for size in sizes]


@lru_cache
def in_float(name: str) -> nn.Module:
    """Random weights everywhere; not to be changed."""
    torch.manual_seed(len(name))
    prior = MAKERS[name]()
    for layer in prior.modules():
        if isinstance(layer, Dense):
            nn.init.normal_(layer.weight, 0, 1 / layer.weight.shape[1] ** 0.5)
            nn.init.normal_(layer.bias, 0, 0.1)
    return prior.requires_grad_(False)


@lru_cache
def quantized(name: str) -> nn.Module:
    """The same, calibrated on random tokens."""
    prior = deepcopy(in_float(name))
    whole = sizes_of(prior, 99, 99)
    calibrate(prior, lambda: [prior(random_tokens(prior, 2, whole, seed)) for seed in range(3)])
    return prior


@lru_cache
def exact_prior(name: str) -> nn.Module:
    """The same in integers."""
    prior = deepcopy(quantized(name))
    export(prior)
    return prior


def exactly(run: Callable[..., Any], *arguments: object) -> Any:
    """`run` inside exact arithmetic."""
    with exact_arithmetic():
        return run(*arguments)


def stepped_logits(prior, tokens: list[Tensor]) -> list[list[Tensor]]:
    """The logits of `step_through` over these tokens, in the form of `forward`."""
    sizes = [tuple(t.shape[1:]) for t in tokens]
    result = [
        [torch.full((len(t), v, *size), torch.nan) for v in prior.digits] for t, size in zip(tokens, sizes, strict=True)
    ]

    def code(at: DigitPosition, logits: Tensor) -> Tensor:
        result[at.stage][at.digit][:, :, at.row, at.column] = logits
        return to_digits(tokens[at.stage][:, at.row, at.column], prior.digits)[:, at.digit]

    back = prior.step_through(len(tokens[0]), sizes, code)
    assert all(torch.equal(a, b) for a, b in zip(back, tokens, strict=True))
    return result
