"""A small recipe of a `photo` model, and what it makes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import invoke_silent
from training.photo.small import RECIPE, TINY, short_starts

from imgcodec.training.photo.recipe import PhotoRecipe
from imgcodec.training.recipe import read_recipe


@pytest.fixture(scope="session")
def recipe() -> PhotoRecipe:
    recipe = read_recipe(RECIPE, TINY)
    assert isinstance(recipe, PhotoRecipe)
    return recipe


@pytest.fixture(scope="module", autouse=True)
def _short_starts() -> Iterator[None]:
    with short_starts():
        yield


@pytest.fixture(scope="session")
def trained(folder: Path, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that the command has made."""
    output = tmp_path_factory.mktemp("trained")
    settings = [argument for setting in TINY for argument in ("--set", setting)]
    with short_starts():
        code, told = invoke_silent("train", RECIPE, "--data", folder, "--validation", few, "-o", output, *settings)
    assert code == 0, told
    assert told.endswith(f"Wrote {output / 'photo.safetensors'}\n")
    return output / "photo.safetensors"
