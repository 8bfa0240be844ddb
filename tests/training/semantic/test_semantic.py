"""Semantic recipes: the whole way with a tiny one, what each loss does, and what no recipe may say."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_semantic import pictures, recipe_text, save

import imgcodec
from imgcodec import CodecError, UsageError
from imgcodec.api import Model
from imgcodec.codec import load_codec
from imgcodec.priors.channel import ChannelPrior
from imgcodec.profiles.semantic.codec import with_drawing
from imgcodec.profiles.semantic.drawing import Drawing
from imgcodec.profiles.semantic.model import build_tokenizer, semantic_model_contents
from imgcodec.training.recipe import read_recipe, train
from imgcodec.training.semantic import recipe as semantic
from imgcodec.training.semantic.objective import SemanticData, SemanticLoss, SemanticNetworks, SemanticObjective
from imgcodec.training.semantic.recipe import SemanticRecipe
from imgcodec.training.semantic.teacher import DIM, SIDE, Teacher
from imgcodec.training.semantic.views import Views, augmented, random_part, teach

RECIPE = Path(__file__).parents[3] / "recipes" / "semantic.toml"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("data"), pictures(16))


def read(tmp_path: Path, text: str, *settings: str) -> SemanticRecipe:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    found = read_recipe(path, list(settings))
    assert isinstance(found, SemanticRecipe)
    return found


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("run")
    text = recipe_text("encoder", "both", "decoder", recon_w=0.1, tv_w=0.01, clip_w=0.1)
    return train(read(place, text), [folder], None, place / "run", resume=False, start=None)


def test_a_recipe_becomes_a_model_that_compresses_and_draws(trained):
    codec = with_drawing(load_codec(trained), Drawing(steps=3))
    model = Model(codec)
    pixels = pictures(1, seed=5)[0]
    data = model.compress(pixels)
    assert len(data) < 120
    assert np.asarray(model.decompress(data)).shape == pixels.shape
    report = json.loads(trained.with_name("export.json").read_text())
    assert {"bytes", "encoder_bytes", "recall", "thumbnail_psnr", "noise", "vector_bytes"} <= report.keys()
    assert report["bytes"] == trained.stat().st_size


def test_samples_and_losses_are_logged(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for phase, images in (("encoder", []), ("both", ["samples"]), ("decoder", ["samples"])):
        events = EventAccumulator(str(trained.parent / "log" / phase))
        events.Reload()
        assert events.Tags()["images"] == images
        assert "validation/recall" in events.Tags()["scalars"]


@pytest.mark.parametrize("phase", ["both", "decoder"])
def test_an_interrupted_run_ends_with_the_same_model(folder, tmp_path, monkeypatch, phase):
    recipe = read(tmp_path, recipe_text("both", "decoder"))
    whole = train(recipe, [folder], None, tmp_path / "whole", resume=False, start=None)
    usual, trains = SemanticData.batch_of, []

    def interrupting(self, tokenizer, step, batch):
        trains.append(step)
        if step == 0 and trains.count(0) == 1 + (phase == "decoder"):
            os.kill(os.getpid(), signal.SIGINT)  # after this step
        return usual(self, tokenizer, step, batch)

    monkeypatch.setattr(SemanticData, "batch_of", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, [folder], None, tmp_path / "half", resume=False, start=None)
    monkeypatch.undo()
    resumed = train(recipe, [folder], None, tmp_path / "half", resume=True, start=None)
    assert imgcodec.load_model(resumed).id == imgcodec.load_model(whole).id


def test_training_goes_on_from_a_model_file(trained, folder, tmp_path):
    recipe = read(tmp_path, recipe_text("decoder"), "phases.0.steps=1", "phases.0.rate=0.0")
    again = train(recipe, [folder], None, tmp_path / "run", resume=False, start=str(trained))
    pixels = pictures(1, seed=5)[0]
    old, new = (load_codec(path) for path in (trained, again))
    assert (old.search_vectors(old.features([pixels])) @ new.search_vectors(new.features([pixels])).T) > 0.98
    other = read(tmp_path, recipe_text("decoder"), "features.meaning=8")
    with pytest.raises(UsageError, match="another encoder"):
        train(other, [folder], None, tmp_path / "other", resume=False, start=str(trained))
    with pytest.raises(UsageError, match="profile photo"):
        train(recipe, [folder], None, tmp_path / "other", resume=False, start="photo")


def losses(tmp_path, trains: str, steps: int, **weights: float) -> list[dict[str, float]]:
    """The figures of so many steps of Adam on eight pictures."""
    recipe = read(tmp_path, recipe_text(trains, **weights))
    torch.manual_seed(0)
    networks = SemanticNetworks(build_tokenizer(recipe.features, recipe.decoder))
    views = Views(pictures(8), 2, 1, torch.randn((8, 2, DIM), generator=torch.Generator().manual_seed(1)).half())
    networks.tokenizer.encoder.init_from_data(torch.rand(40, 3, 32, 32))
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
        ("both", {"distil": 0.0, "recon_w": 0.1, "tv_w": 0.01}, ["loss", "noise"]),
        ("decoder", {}, ["loss", "noise"]),
    ],
)
def test_losses_fall(tmp_path, trains, weights, falling):
    figures = losses(tmp_path, trains, 40, **weights)
    for name in falling:
        first, last = (np.mean([f[name] for f in part]) for part in (figures[:10], figures[-10:]))
        assert last < 0.95 * first, name


def test_each_weight_brings_its_figure(tmp_path):
    (plain,) = losses(tmp_path, "both", 1)
    assert plain.keys() == {"loss", "contrast", "recall", "noise"}
    (full,) = losses(tmp_path, "both", 1, distil=1.0, recon_w=0.1, tv_w=0.1, clip_w=0.1)
    assert full.keys() == {*plain, "distil", "recon", "tv", "align"}
    assert full["loss"] > plain["loss"]


# Views and teacher


def test_views_are_the_same_for_a_seed_and_parts_of_their_photograph():
    made = [*pictures(3, 60), *pictures(2, 90)]
    views = Views(made, 4, 7)
    assert views.view(1, 0) is made[1]
    assert np.array_equal(views.view(3, 2), Views(made, 4, 7).view(3, 2))
    assert views.view(3, 2).shape != Views(made, 4, 8).view(3, 2).shape
    drawn = [views.draw(5, step, 0) for step in range(20)]
    assert all(sorted(p for p, _ in d) == [0, 1, 2, 3, 4] for d in drawn)
    assert {v for d in drawn for _, v in d} == {0, 1, 2, 3}
    assert len(views.draw(9, 0, 0)) == 9
    rng = np.random.default_rng(0)
    for _ in range(50):
        part = random_part(made[4], 0.3, rng)
        assert 0.25 * 8100 < part.shape[0] * part.shape[1] <= 8100
        assert augmented(part, rng).shape == (128, 128, 3)


def test_the_teacher_tells_pictures_apart():
    """The real one, with ImageNet's weights: two views of a picture are more alike than two pictures."""
    made = pictures(3, SIDE)
    vectors = teach(Views(made, 2, 1), Teacher(CPU)).float()
    assert vectors.shape == (3, 2, DIM)
    assert torch.allclose(vectors.mean((0, 1)), torch.zeros(DIM), atol=1e-3)
    flat = torch.nn.functional.normalize(vectors.flatten(0, 1), dim=1)
    likeness = flat @ flat.T
    likeness.fill_diagonal_(-1)
    assert (likeness.argmax(1) // 2 == torch.arange(6) // 2).float().mean() > 0.6


def test_without_its_packages_the_teacher_says_what_to_install(monkeypatch):
    monkeypatch.setattr("imgcodec.training.semantic.teacher.find_spec", lambda name: None)
    with pytest.raises(CodecError, match=r"imgcodec\[train\]"):
        Teacher(CPU)


# Recipes


def test_the_shipped_recipe_makes_a_model_of_less_than_16_mib_with_an_encoder_of_less_than_6():
    recipe = read_recipe(RECIPE, [])
    assert isinstance(recipe, SemanticRecipe)
    tokenizer = build_tokenizer(recipe.features, recipe.decoder)
    tensors, metadata = semantic_model_contents(tokenizer, ChannelPrior(tokenizer.encoder.dim))
    sizes = {name: tensor.numel() * tensor.element_size() for name, tensor in tensors.items()}
    assert sum(size for name, size in sizes.items() if ".encoder." in name) < 6 * 2**20
    assert sum(sizes.values()) + 200 * len(sizes) + len(str(metadata)) < 16 * 2**20
    assert tokenizer.encoder.dim == 512


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("phases.0.trains='all'", "encoder, both or decoder"),
        ("loss.distil=-1", "distil must be"),
        ("loss.temperature=0", "temperature must be above 0"),
        ("loss.other=1", "nothing is called 'other'"),
        ("features.side=33", "side must be"),
        ("features.kind='other'", "no encoder"),
        ("decoder.patch=5", "side must be"),
        ("views=0", "views must be"),
        ("layout_bytes=0", "layout_bytes"),
        ("batch=0", "batch must be"),
        ("features='open_clip'", "Features are open_clip:MODEL/WEIGHTS"),
    ],
)
def test_impossible_recipes_are_refused(tmp_path, setting, words):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, recipe_text("both", "decoder"), setting)


def test_phases_of_the_decoder_come_last(tmp_path):
    with pytest.raises(UsageError, match="come first"):
        read(tmp_path, recipe_text("decoder", "both"))


def test_clip_is_not_trained(tmp_path):
    features = "{kind = 'open_clip', model = 'ViT-B-32', weights = 'x'}"
    with pytest.raises(UsageError, match="phases train the decoder"):
        read(tmp_path, recipe_text("both"), f"features={features}")
    recipe = read(tmp_path, recipe_text("decoder"), f"features={features}")
    assert build_tokenizer(recipe.features, recipe.decoder).encoder.dim == 512
    assert replace(recipe, loss=SemanticLoss()).loss.distil == 1
