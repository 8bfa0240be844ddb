"""Small raster models in training."""

from pathlib import Path

import torch

from imgcodec.profiles.raster.model import build_prior, build_tokenizer
from imgcodec.training.raster.objective import RasterNetworks
from imgcodec.training.raster.recipe import RasterRecipe

RECIPES = Path(__file__).parents[3] / "recipes"


def small_networks(recipe: RasterRecipe) -> RasterNetworks:
    torch.manual_seed(0)
    return RasterNetworks(build_tokenizer(recipe.tokenizer), build_prior(recipe.prior))
