"""Recipes: a TOML file and changes to it, and what training asks of its data and its start."""

from pathlib import Path

import pytest
from training.photo.small import RECIPE, TINY

import imgcodec
from imgcodec.training.photo.recipe import PhotoRecipe
from imgcodec.training.raster.recipe import RasterRecipe
from imgcodec.training.recipe import read_recipe, train

GOLDEN = Path(__file__).parents[1] / "golden"


def test_settings_change_single_entries() -> None:
    plain = read_recipe(RECIPE, [])
    changed = read_recipe(RECIPE, ["batch=3", "phases.1.minutes=7.5", "prior.windows=[2, 8]"])
    assert isinstance(plain, PhotoRecipe)
    assert isinstance(changed, PhotoRecipe)
    assert (changed.batch, changed.phases[1].minutes, changed.prior.windows) == (3, 7.5, (2, 8))
    assert changed.tokenizer == plain.tokenizer
    assert changed.phases[0] == plain.phases[0]


def test_the_profile_says_what_is_read() -> None:
    assert isinstance(read_recipe(RECIPE.with_name("bsq.toml"), []), RasterRecipe)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("phases.9.steps=1", "--set phases.9.steps=1: the recipe has no phases.9.steps"),
        ("batch.size=1", "the recipe has no batch.size"),
        ("batch", "--set takes KEY=VALUE"),
        ("prior.width=]", "--set takes KEY=VALUE"),
        ("lambdas.lowest='x'x", "--set takes KEY=VALUE"),
        ("nonsense=1", "nothing is called 'nonsense'"),
        ("phases.0.batch_=1", "nothing is called 'phases.0.batch_'"),
        ("phases=[]", "it has no phases"),
        ("phases.0={}", r"it has no phases\.0\.name"),
        ("phases.0.name='quantized'", r"^The recipe .* is not valid: it has two phases of the name 'quantized'\.$"),
        ("phases.0.name='Quantized'", "it has two phases of the name 'quantized'"),
        ("profile=[1]", r"its profile \[1\] is not known"),
        ("lambdas.lowest=0", "lambdas must be above 0"),
        ("export_crops=0", "export_crops must be 1 or more"),
    ],
)
def test_bad_settings_are_refused(setting: str, message: str) -> None:
    with pytest.raises(imgcodec.UsageError, match=message):
        read_recipe(RECIPE, [setting])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch = ", "is not valid"),
        ("batch = 2", "it has no phases"),
        ("profile = 'jpeg'", "profile 'jpeg' is not known"),
    ],
)
def test_what_is_no_recipe_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(imgcodec.UsageError, match=message):
        read_recipe(tmp_path / "recipe.toml", [])


def test_a_recipe_that_is_not_there_is_as_every_missing_file(tmp_path: Path) -> None:
    with pytest.raises(imgcodec.CodecError, match=r"^There is no file .*recipe\.toml\.$") as caught:
        read_recipe(tmp_path / "recipe.toml", [])
    assert caught.value.exit_code == 1


def test_the_start_is_of_the_recipes_kind(folder: Path, tmp_path: Path) -> None:
    recipe = read_recipe(RECIPE, TINY)
    with pytest.raises(imgcodec.UsageError, match="of profile bsq"):
        train(recipe, [folder], folder, tmp_path, False, str(GOLDEN / "bsq.safetensors"))
    raster = read_recipe(RECIPE.with_name("bsq.toml"), ["crop=64"])
    with pytest.raises(imgcodec.UsageError, match="of profile photo"):
        train(raster, [folder], folder, tmp_path, False, str(GOLDEN / "tiny.safetensors"))


def test_pictures_that_are_all_held_out_leave_none_to_train_on(few: Path, tmp_path: Path) -> None:
    with pytest.raises(imgcodec.UsageError, match="first 8 pictures are held out"):
        train(read_recipe(RECIPE, TINY), [few], None, tmp_path, resume=False, start=None)


@pytest.mark.parametrize(
    "setting",
    ["batch=0", "batch=1e3", 'batch="x"', "crop=0", "seed=-1", "phases.0.steps=-1", "phases.0.rate=nan",
     'phases.0.rate="x"', "phases.0.validate_every=0"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["photo", "bsq"])
def test_numbers_that_no_training_has_are_refused(name: str, setting: str) -> None:
    with pytest.raises(imgcodec.UsageError, match=setting.split("=")[0].split(".")[-1]):
        read_recipe(Path(__file__).parents[2] / "recipes" / f"{name}.toml", [setting])
