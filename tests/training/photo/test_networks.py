"""What depends on the level moves with lambda and by slice."""

from pathlib import Path

import pytest
import torch
from training.photo.small import RECIPE, TINY, small_model

from imgcodec import UsageError
from imgcodec.training.photo.data import Lambdas
from imgcodec.training.photo.networks import change_lambdas, shift_gains
from imgcodec.training.photo.recipe import PhotoRecipe
from imgcodec.training.recipe import read_recipe


def test_gains_shift_by_slice(recipe: PhotoRecipe, folder: Path) -> None:
    model, _ = small_model(recipe, folder)
    before = model.tokenizer.log_gain[1].detach().clone()
    shift_gains(model, (0.25, -0.5))
    moved = model.tokenizer.log_gain[1].detach() - before
    expected = torch.tensor([0.25] * 4 + [-0.5] * 8).expand_as(moved)
    torch.testing.assert_close(moved, expected)
    with pytest.raises(UsageError, match="a number for each of the 2 slices"):
        read_recipe(RECIPE, [*TINY, "phases.1.shift_gains=[0.0, 0.0, 0.0]"])


def test_start_from_a_model_of_other_lambdas_has_its_gains_at_the_same_lambdas(
    recipe: PhotoRecipe, folder: Path
) -> None:
    model, _ = small_model(recipe, folder)
    gain = model.tokenizer.log_gain[1][:, 0].detach().clone()
    prior_row = model.prior.fine.start.rows.detach().clone()
    old = Lambdas(0.001, 0.128)  # a factor of two a level
    change_lambdas(model, old, Lambdas(0.00025, 0.032))  # the same, two levels lower
    after = model.tokenizer.log_gain[1][:, 0].detach()
    torch.testing.assert_close(after[2:], gain[:6])
    torch.testing.assert_close(after[0], gain[0] - 2 * (gain[1] - gain[0]))
    levels = model.tokenizer.config.levels
    for after, before in zip(model.prior.fine.start.rows.detach().split(levels), prior_row.split(levels), strict=True):
        torch.testing.assert_close(after[2:], before[:6])  # of every tune
        torch.testing.assert_close(after[0], before[0])
