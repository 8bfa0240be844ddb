"""Small runs of the recipe of `photo` models: start, phases, model file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import invoke_silent
from PIL import Image
from training.photo.small import RECIPE, TOKENIZER, small_networks

import imgcodec
from imgcodec.metrics.reference import psnr
from imgcodec.priors.integer.trainable import restore
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.model import load_photo_model
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.photo.objective import PhotoPhase
from imgcodec.training.photo.recipe import PhotoRecipe, check_sizes_of_start, grow
from imgcodec.training.recipe import read_recipe, train


def test_command_trains_a_model_that_compresses(trained: Path, folder: Path) -> None:
    model = imgcodec.load_model(str(trained))
    pixels = np.asarray(Image.open(folder / "3.png"))
    assert psnr(pixels, np.asarray(model.decompress(model.compress(pixels, quality=80)))) > 20


def test_command_goes_on_with_a_run_only_if_told_so(trained: Path, folder: Path) -> None:
    code, told = invoke_silent("train", RECIPE, "--data", folder, "-o", trained.parent)
    assert code == 1
    assert "holds a run already: give --resume" in told


def test_training_from_a_model_file_goes_on_from_its_weights(
    trained: Path, recipe: PhotoRecipe, folder: Path, few: Path, tmp_path: Path
) -> None:
    """A phase that learns nothing ends with the model that it started from, whatever it would have started with."""
    still = PhotoPhase("still", steps=1, rate=0.0, trains="prior", quantized=True)
    other = replace(recipe, seed=recipe.seed + 1, phases=(still,))
    again = train(other, [folder], few, tmp_path, resume=False, start=str(trained))
    first, second = (load_photo_model(str(path)) for path in (trained, again))
    for name, tensor in first.tokenizer.state_dict().items():
        torch.testing.assert_close(second.tokenizer.state_dict()[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    weights = []
    for model in (first, second):
        prior = PhotoPrior(recipe.prior)
        restore(prior, model.prior)
        weights.append(dict(prior.named_parameters()))
    for name, parameter in weights[0].items():
        torch.testing.assert_close(weights[1][name], parameter, rtol=0, atol=0, msg=name)


def test_steps_begin_to_be_wider_once(
    trained: Path, recipe: PhotoRecipe, folder: Path, few: Path, tmp_path: Path
) -> None:
    """From a model that has none such, and not again from one that has. With other exponents they keep their mean."""
    still = PhotoPhase("still", steps=1, rate=0.0, trains="prior", quantized=True)
    plain = replace(recipe, tokenizer=replace(recipe.tokenizer, widening=(0.0, 0.0)), phases=(still,))
    wide = replace(recipe, tokenizer=replace(recipe.tokenizer, widening=(0.2, 0.4)), phases=(still,))
    gains, shifts, start = [], [], None
    for number, of in enumerate((plain, wide, wide, plain)):
        start = str(train(of, [folder], few, tmp_path / str(number), resume=False, start=start))
        tokenizer = load_photo_model(start).tokenizer
        gains.append(tokenizer.log_gain[1].detach())
        shifts.append(tokenizer.visual_shift.detach())
    assert float((gains[1] - gains[0]).min()) > 0.01
    torch.testing.assert_close(gains[2], gains[1])
    torch.testing.assert_close(gains[3], gains[0], atol=0.01, rtol=0)
    torch.testing.assert_close(shifts[2], shifts[1])
    torch.testing.assert_close(shifts[3], shifts[0], atol=0.01, rtol=0)


def test_grown_transforms_compute_what_the_smaller_ones_did() -> None:
    small = small_networks().tokenizer
    large = ResidualVQ(replace(TOKENIZER, analysis_blocks=(3, 2), synthesis_blocks=(2, 2)))
    grow(large, small)
    pixels, level = torch.rand(1, 3, 64, 64), torch.tensor([2.5])
    latent = small.analysis(pixels)
    torch.testing.assert_close(large.analysis(pixels), latent)
    torch.testing.assert_close(large.synthesis(latent, level), small.synthesis(latent, level))
    torch.testing.assert_close(large.gain(1, level), small.gain(1, level))


def test_a_grown_post_filter_computes_what_the_smaller_one_did() -> None:
    small, large = (ResidualVQ(replace(TOKENIZER, width_filter=4, filter_blocks=blocks)) for blocks in (0, 2))
    assert small.synthesis.post_filter is not None
    torch.nn.init.normal_(small.synthesis.post_filter.last.weight)
    grow(large, small)
    latent, level = torch.randn(1, TOKENIZER.channels[1], 4, 4), torch.tensor([2.5])
    torch.testing.assert_close(large.synthesis(latent, level), small.synthesis(latent, level))


def test_a_model_of_other_sizes_is_no_start(trained: Path, recipe: PhotoRecipe, folder: Path, tmp_path: Path) -> None:
    wider = replace(recipe, tokenizer=replace(recipe.tokenizer, width_fine=12))
    with pytest.raises(
        imgcodec.UsageError, match=r"than the recipe: tokenizer\.width_fine is 8, and 12 in the recipe\.$"
    ):
        train(wider, [folder], folder, tmp_path, resume=False, start=str(trained))


def test_the_recipe_mine_goes_on_from_the_shipped_model() -> None:
    """As docs/training.md tells people to; with fewer blocks than the model has, it would not."""
    shipped = load_photo_model("photo")

    def check(*settings: str) -> None:
        recipe = read_recipe(RECIPE.with_name("mine.toml"), list(settings))
        assert isinstance(recipe, PhotoRecipe)
        check_sizes_of_start("photo", shipped, recipe.tokenizer, recipe.prior)

    check()
    check("tokenizer.synthesis_blocks=[4, 3]", "tokenizer.filter_blocks=3")
    sizes = r"tokenizer\.analysis_blocks is \(3, 2\), and \(2, 1\) in the recipe; prior\.hidden is 384, and 128 in"
    with pytest.raises(imgcodec.UsageError, match=rf"^The model photo has other sizes than the recipe: {sizes}"):
        check("tokenizer.analysis_blocks=[2, 1]", "prior.hidden=128")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("phases.1.shift_gains=[0.0]", "a number for each of the 5 slices"),
        ("tokenizer.visual=false", "set visual = true"),
        ("prior.tunes=1", "the prior needs tunes = 2"),
        ("tokenizer.codes=4", "odd"),
        ("prior.windows=[3, 4]", "window must be even"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(setting: str, message: str) -> None:
    with pytest.raises(imgcodec.UsageError, match=message):
        read_recipe(RECIPE, [setting])
