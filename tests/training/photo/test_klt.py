"""A model starts from the Karhunen-Loeve transform of its photographs."""

from pathlib import Path

import torch
from training.photo.small import small_model

from imgcodec.training.photo.recipe import PhotoRecipe


def test_linear_paths_start_orthonormal(recipe: PhotoRecipe, folder: Path) -> None:
    model, _ = small_model(recipe, folder)
    analysis = model.tokenizer.analysis.linear.weight.flatten(1)
    torch.testing.assert_close(analysis @ analysis.T, torch.eye(len(analysis)), rtol=0, atol=1e-5)
    torch.testing.assert_close(model.tokenizer.synthesis.linear.weight.flatten(1), analysis.T)


def test_gains_follow_the_square_root_of_lambda(recipe: PhotoRecipe, folder: Path) -> None:
    tokenizer = small_model(recipe, folder)[0].tokenizer
    levels = tokenizer.config.levels
    lambdas = recipe.lambdas.at(torch.arange(float(levels)), levels)
    for table in tokenizer.log_gain:
        torch.testing.assert_close(table - table[0], 0.5 * (lambdas / lambdas[0]).log()[:, None].expand_as(table))


def test_predicted_scales_follow_the_gains(recipe: PhotoRecipe, folder: Path) -> None:
    """At higher qualities tokens are larger, and so are the scales that the prior starts with; of both tunes."""
    prior = small_model(recipe, folder)[0].prior
    for stage in (prior.coarse, prior.fine):
        for _, head in stage.slices():
            means, scales = head.bias.rows.detach().split(head.groups, 1)
            assert not means.any()
            for tune in scales.split(prior.config.levels):
                assert (tune.diff(dim=0) >= -1e-3).all()
                assert (tune[-1] > tune[0]).all()
