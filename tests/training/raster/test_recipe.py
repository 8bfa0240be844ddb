"""Recipes of raster models: small runs of one, the shipped ones, and impossible ones."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_raster_recipe import SMALL_SNAC
from training.raster.small import RECIPES

import imgcodec
from imgcodec import UsageError
from imgcodec.bitstream import container
from imgcodec.profiles.raster.model import build_prior, build_tokenizer
from imgcodec.training.raster.recipe import RasterRecipe
from imgcodec.training.recipe import read_recipe, train

RASTER_MODELS = ["snac", "svqvae", "bsq", "pixelcnn"]


def test_a_recipe_becomes_a_model_that_compresses(trained: Path, folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = imgcodec.load_model(str(trained))
    picture = np.asarray(Image.open(folder / "3.png"))
    restored = np.asarray(model.decompress(model.compress(picture)))
    assert restored.shape == picture.shape
    for phase, expected in (("tokenizer", "reconstruction"), ("prior", "samples")):
        events = EventAccumulator(str(trained.parent / "log" / phase))
        events.Reload()
        assert expected in events.Tags()["images"]
        assert {"tokenizer": "validation/psnr", "prior": "validation/bpp"}[phase] in events.Tags()["scalars"]


def test_finished_phases_are_read_back(trained: Path, recipe: RasterRecipe, folder: Path, tmp_path: Path) -> None:
    for phase in recipe.phases:
        shutil.copy(trained.with_name(f"{phase.name}-weights.safetensors"), tmp_path)
    again = train(recipe, [folder], None, tmp_path, resume=True, start=None)
    assert imgcodec.load_model(str(again)).id == imgcodec.load_model(str(trained)).id
    assert (tmp_path / "export.json").read_text() == trained.with_name("export.json").read_text()


def test_training_from_a_model_file_goes_on_from_its_weights(
    trained: Path, recipe: RasterRecipe, folder: Path, few: Path, tmp_path: Path
) -> None:
    """A phase that learns nothing ends with the model that it started from, whatever it would have started with."""
    still = replace(recipe.phases[2], steps=1, rate=0.0)
    other = replace(recipe, seed=recipe.seed + 1, phases=(still,))
    again = train(other, [folder], few, tmp_path / "run", resume=False, start=str(trained))
    pixels = np.asarray(Image.open(folder / "3.png"))
    first, second = (imgcodec.load_model(str(path)).compress(pixels) for path in (trained, again))
    assert container.read(second).tokens() == container.read(first).tokens()
    other = replace(recipe, tokenizer={**recipe.tokenizer, "latent_dim": 9})
    with pytest.raises(UsageError, match="another tokenizer than the recipe"):
        train(other, [folder], few, tmp_path / "other", resume=False, start=str(trained))


@pytest.mark.parametrize("name", [*RASTER_MODELS, "tiny"])
def test_shipped_recipes_are_whole(name: str) -> None:
    recipe = read_recipe(RECIPES / f"{name}.toml", [])
    assert isinstance(recipe, RasterRecipe)
    assert recipe.profile == name
    assert [p.trains for p in recipe.phases] == ["tokenizer", "prior", "prior"]
    assert recipe.phases[-1].quantized
    assert sum(p.minutes for p in recipe.phases) <= 14


def test_models_of_the_shipped_recipes_are_small() -> None:
    total = 0.0
    for name in RASTER_MODELS:
        recipe = read_recipe(RECIPES / f"{name}.toml", [])
        assert isinstance(recipe, RasterRecipe)
        with torch.device("meta"):
            tokenizer, prior = build_tokenizer(recipe.tokenizer), build_prior(recipe.prior)
        total += sum(2 * p.numel() for p in tokenizer.parameters()) + sum(p.numel() for p in prior.parameters())
    assert total < 9 * 2**20


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("profile='jpeg'", "its profile 'jpeg' is not known"),
        ("tokenizer.kind='x'", "there is no raster tokenizer 'x'"),
        ("prior.sides=[2, 4]", "do not go together"),
        ("prior.codes=9", "do not go together: there are 16 codes"),
        ("crop=100", "multiples of 64"),
        ("loss.ms_ssim=1.0", "crops of at least 161"),
        ("phases.0.trains='prior'", "tokenizer come before those of the prior"),
        ("phases.0.revive_every=0", "revive_every must be 1 or more"),
        ("token_crops=-1", "token_crops must be 0 or more"),
        ("phases.1.trains='visual'", "trains must be tokenizer or prior"),
        ("phases.1.schedule='step'", "linear or cosine"),
        ("phases.1.name='a/b'", "letters, digits"),
        ("tokenizer.widths=[1]", "widths"),
    ],
)
def test_impossible_recipes_are_refused(setting: str, message: str) -> None:
    extra = ["phases.1.trains='tokenizer'"] if setting == "phases.0.trains='prior'" else []
    with pytest.raises(UsageError, match=message):
        read_recipe(RECIPES / "snac.toml", [*SMALL_SNAC, setting, *extra])


def test_pictures_without_a_whole_tile_cannot_validate(recipe: RasterRecipe, folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200)).save(tmp_path / "small.png")
    with pytest.raises(UsageError, match="No picture to validate on has 256 pixels"):
        train(recipe, [folder], tmp_path, tmp_path / "run", resume=False, start=None)
