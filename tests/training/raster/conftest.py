"""A small recipe of SNAC, data, and what they make."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_raster_recipe import SMALL_SNAC
from training.raster.small import RECIPES

from imgcodec.training.data import load_photographs
from imgcodec.training.raster import recipe as raster_recipe
from imgcodec.training.raster.objective import RasterData
from imgcodec.training.raster.recipe import RasterRecipe
from imgcodec.training.recipe import read_recipe, train


@contextmanager
def short_starts() -> Iterator[None]:
    """Inside, a tokenizer starts from fewer crops: how good it is does not matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_recipe, "INIT_CROPS", 16)
        yield


@pytest.fixture(scope="module", autouse=True)
def _short_starts() -> Iterator[None]:
    with short_starts():
        yield


@pytest.fixture(scope="session")
def recipe() -> RasterRecipe:
    recipe = read_recipe(RECIPES / "snac.toml", SMALL_SNAC)
    assert isinstance(recipe, RasterRecipe)
    return recipe


@pytest.fixture(scope="session")
def data(folder: Path) -> RasterData:
    photographs = load_photographs([folder], 256)
    tiles = torch.stack([torch.from_numpy(p[:256, :256].copy()).permute(2, 0, 1) for p in photographs[:2]])
    return RasterData(photographs[2:], tiles, crop=64, batch=2, token_crops=4)


@pytest.fixture(scope="session")
def trained(recipe: RasterRecipe, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, beside what its training left. Its prior is not good, but says something."""
    output = tmp_path_factory.mktemp("trained")
    _, prior, quantized = recipe.phases
    phases = (recipe.phases[0], replace(prior, steps=15, rate=0.02, warmup=1), quantized)
    with short_starts():
        return train(replace(recipe, phases=phases), [folder], None, output, resume=False, start=None)
