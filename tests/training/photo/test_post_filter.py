"""Training of post filters: behind a frozen decoder, on crops that were decoded once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training.photo.small import RECIPE, TINY, small_model

from imgcodec import UsageError
from imgcodec.training.photo.objective import PhotoPhase
from imgcodec.training.photo.phases import add_visual_tune
from imgcodec.training.photo.post_filter import FilterObjective, Unfiltered, cut, decode, train_filter, validate_filter
from imgcodec.training.photo.recipe import PhotoRecipe
from imgcodec.training.recipe import read_recipe

LEARNS = PhotoPhase("learns", steps=60, rate=3e-3, matrix_rate=3e-3, warmup=5, average=0.9, trains="filter", decoded=8)


@pytest.mark.parametrize("trains", ["filter", "visual filter"])
def test_it_gains_and_leaves_all_else_as_it_was(trains: str, recipe: PhotoRecipe, folder: Path, tmp_path: Path) -> None:
    model, data = small_model(recipe, folder)
    add_visual_tune(model, data)
    is_visual = trains == "visual filter"
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_filter(model, replace(LEARNS, trains=trains, steps=12 if is_visual else 60), data, tmp_path, resume=False)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    prefix = f"tokenizer.{'visual' if is_visual else 'synthesis'}.post_filter."
    assert changed
    assert all(name.startswith(prefix) for name in changed)
    synthesis = model.tokenizer.visual if is_visual else model.tokenizer.synthesis
    assert synthesis is not None
    assert synthesis.post_filter is not None
    objective = FilterObjective(synthesis.post_filter, is_visual, data)
    figures = validate_filter(Unfiltered(model, is_visual), objective, data).figures
    metrics = {"psnr", "ms_ssim", "ssimulacra2"} if is_visual else {"psnr"}
    assert figures.keys() == metrics | {f"{name}.{level}" for name in metrics for level in range(8)}
    assert figures["ms_ssim" if is_visual else "psnr"] > 0.02


def test_a_resumed_phase_ends_where_an_uninterrupted_one_does(
    recipe: PhotoRecipe, folder: Path, tmp_path: Path
) -> None:
    ends = []
    for stops in ([6], [3, 6]):
        model, data = small_model(recipe, folder)
        for stop in stops:
            phase = replace(LEARNS, steps=stop, decay_from=1.0)
            train_filter(model, phase, data, tmp_path / str(len(stops)), resume=stop != stops[0])
        ends.append(model.tokenizer.synthesis.state_dict())
    for name, tensor in ends[0].items():
        assert torch.equal(tensor, ends[1][name]), name


def test_what_it_learns_from_is_what_a_decoder_has(recipe: PhotoRecipe, folder: Path) -> None:
    model, data = small_model(recipe, folder)
    post_filter = model.tokenizer.synthesis.post_filter
    assert post_filter is not None
    decoded = decode(Unfiltered(model, is_visual=False), data, 3)
    assert decoded.pixels.shape == decoded.originals.shape == (4, 3, data.crop, data.crop)  # whole batches
    error = (decoded.pixels.float() + 0.5 - decoded.originals / 255).square().mean((1, 2, 3))
    assert error.max() < 0.02
    x, originals, levels = cut(decoded, np.random.default_rng(0), 5, 64)
    assert x.shape == originals.shape == (5, 3, 64, 64)
    assert set(levels.tolist()) <= set(decoded.levels.tolist())
    near = (x.float() + 0.5 - originals / 255).square().mean((1, 2, 3))
    far = (x.float().flip(3) + 0.5 - originals / 255).square().mean((1, 2, 3))
    assert (near < far).all()  # both are mirrored, or none
    loss, figures = FilterObjective(post_filter, False, data)(0.0, x, originals, levels)
    assert float(loss.detach()) == pytest.approx(1)  # a new one adds nothing
    assert float(figures["gain"].detach()) == pytest.approx(0)


@pytest.mark.parametrize(
    ("setting", "message"), [("tokenizer.width_filter=0", "set width_filter"), ("phases.5.decoded=0", "1 or more")]
)
def test_recipes_that_cannot_train_one_are_refused(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_recipe(RECIPE, [*TINY, setting])
