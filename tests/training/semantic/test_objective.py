"""The losses of semantic models: each falls, and each weight brings its own."""

import numpy as np
import pytest
import torch
from small_semantic import pictures, recipe_text

from imgcodec.profiles.semantic.model import build_tokenizer
from imgcodec.training.recipe import read_recipe
from imgcodec.training.semantic import recipe as semantic
from imgcodec.training.semantic.objective import SemanticData, SemanticNetworks, SemanticObjective
from imgcodec.training.semantic.recipe import SemanticRecipe
from imgcodec.training.semantic.teacher import DIM
from imgcodec.training.semantic.views import Views

CPU = torch.device("cpu")


def losses(tmp_path, trains: str, steps: int, **weights: float) -> list[dict[str, float]]:
    """The figures of so many steps of Adam on eight pictures."""
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_text(trains, **weights))
    recipe = read_recipe(path, [])
    assert isinstance(recipe, SemanticRecipe)
    torch.manual_seed(0)
    networks = SemanticNetworks(build_tokenizer(recipe.features, recipe.decoder))
    views = Views(pictures(8), 2, 1, torch.randn((8, 2, DIM), generator=torch.Generator().manual_seed(1)).half())
    networks.tokenizer.encoder.init_from_data(torch.rand(40, 3, 8, 8))
    semantic._measure_spread(networks.tokenizer, views.photographs, CPU)
    data = SemanticData(views, views.photographs, 8, CPU)
    objective = SemanticObjective(networks, recipe.loss, trains, mixed=False)
    optimizer = torch.optim.Adam(networks.parameters(), 3e-3)
    figures = []
    for step in range(steps):
        *parts, chance = data.batch_of(networks.tokenizer, step, 8)
        loss, found = objective(0.0, *parts, chance < recipe.loss.drop)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        figures.append({name: float(value.detach()) for name, value in found.items()})
    return figures


@pytest.mark.parametrize(
    ("trains", "weights", "falling"),
    [
        ("encoder", {"distil": 1.0, "contrast": 0.0}, ["loss", "distil"]),
        ("encoder", {"distil": 0.0, "contrast": 1.0}, ["loss", "contrast"]),
        ("both", {"distil": 0.0, "recon_w": 0.1, "tv_w": 0.01}, ["loss", "velocity"]),
        ("decoder", {}, ["loss", "velocity"]),
    ],
)
def test_losses_fall(tmp_path, trains, weights, falling):
    figures = losses(tmp_path, trains, 40, **weights)
    for name in falling:
        first, last = (np.mean([f[name] for f in part]) for part in (figures[:10], figures[-10:]))
        assert last < 0.95 * first, name


def test_each_weight_brings_its_figure(tmp_path):
    (plain,) = losses(tmp_path, "both", 1)
    assert plain.keys() == {"loss", "contrast", "recall", "noise", "velocity"}
    (full,) = losses(tmp_path, "both", 1, distil=1.0, recon_w=0.1, tv_w=0.1, clip_w=0.1)
    assert full.keys() == {*plain, "distil", "recon", "tv", "align"}
    assert full["loss"] > plain["loss"]
