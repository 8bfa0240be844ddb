"""Small `photo` models in training. Sizes are tiny; the code is all of it."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_recipe import SMALL_RECIPE
from torch import Tensor

from imgcodec.priors.photo.config import PhotoPriorConfig
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig
from imgcodec.training.data import load_photographs, random_crops
from imgcodec.training.photo import klt, phases
from imgcodec.training.photo.data import PhotoData
from imgcodec.training.photo.klt import init_from_klt
from imgcodec.training.photo.networks import PhotoNetworks
from imgcodec.training.photo.recipe import PhotoRecipe
from imgcodec.training.photo.visual import visual_shift

RECIPE = Path(__file__).parents[3] / "recipes" / "photo.toml"
TINY = [
    *SMALL_RECIPE,
    *(f"phases.{i}.steps=3" for i in range(7)),
    "phases.0.validate_every=2",
    "phases.3.validate_every=2",
]
TOKENIZER = RVQConfig(channels=(8, 12), width_coarse=8, width_fine=8, analysis_blocks=(2, 1), synthesis_blocks=(1, 2))


PRIOR = PhotoPriorConfig(
    width=16, hidden=16, heads=2, slices=((4, 4), (4, 8)), attention=((True, False), (False, True)), levels=8
)


@contextmanager
def short_starts() -> Iterator[None]:
    """Inside, a model starts from fewer crops: how good it is does not matter here."""

    def crops(photographs: list[NDArray[np.uint8]], size: int, count: int, rng: np.random.Generator) -> Tensor:
        return random_crops(photographs, size, count // 32, rng)

    def shift(tokenizer: ResidualVQ, pixels: Tensor) -> Tensor:
        return visual_shift(tokenizer, pixels[:4], probes=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(klt, "random_crops", crops)
        patch.setattr(phases, "visual_shift", shift)
        yield


def small_networks(tokenizer: RVQConfig = TOKENIZER) -> PhotoNetworks:
    """Networks in which nothing is zero any more."""
    torch.manual_seed(3)
    made = PhotoNetworks(ResidualVQ(tokenizer), PhotoPrior(PRIOR))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "codebooks" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return made


def small_model(recipe: PhotoRecipe, folder: Path) -> tuple[PhotoNetworks, PhotoData]:
    """A model as it starts, and data to train it on."""
    photographs = load_photographs([folder], recipe.crop)
    data = PhotoData(
        photographs[2:], [p[:256, :256] for p in photographs[:2]], recipe.lambdas, recipe.crop, recipe.batch
    )
    model = copy.deepcopy(started_model(recipe, folder))
    torch.manual_seed(0)
    return model, data


@cache
def started_model(recipe: PhotoRecipe, folder: Path) -> PhotoNetworks:
    """The eigenvectors take seconds: once for all tests."""
    torch.manual_seed(0)
    model = PhotoNetworks(ResidualVQ(recipe.tokenizer), PhotoPrior(recipe.prior))
    lambdas = recipe.lambdas.at(torch.arange(8.0), 8)
    photographs = load_photographs([folder], recipe.crop)
    with short_starts():
        init_from_klt(model.tokenizer, model.prior, photographs, lambdas, np.random.default_rng(0))
    return model
