"""Semantic recipes: the whole way with a tiny one, and what no recipe may say."""

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
from imgcodec import UsageError
from imgcodec.api import Model
from imgcodec.codec import load_codec
from imgcodec.priors.channel import ChannelPrior
from imgcodec.profiles.semantic.codec import with_drawing
from imgcodec.profiles.semantic.drawing import DrawingOptions
from imgcodec.profiles.semantic.model import build_tokenizer, semantic_model_contents
from imgcodec.training.recipe import read_recipe, train
from imgcodec.training.semantic.objective import SemanticData, SemanticLoss
from imgcodec.training.semantic.recipe import SemanticRecipe, _taught
from imgcodec.training.semantic.teacher import DIM
from imgcodec.training.semantic.views import Views

RECIPE = Path(__file__).parents[3] / "recipes" / "semantic.toml"


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
    codec = with_drawing(load_codec(trained), DrawingOptions(steps=3))
    model = Model(codec)
    pixels = pictures(1, seed=5)[0]
    data = model.compress(pixels)
    assert len(data) < 120
    assert np.asarray(model.decompress(data)).shape == pixels.shape
    report = json.loads(trained.with_name("export.json").read_text())
    assert {"bytes", "encoder_bytes", "recall", "thumbnail_psnr", "velocity", "vector_bytes"} <= report.keys()
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


def test_a_teacher_is_asked_again_about_other_views_alone(tmp_path, monkeypatch, capsys):
    """Vectors of other views would be learned as those of the new ones, and nothing would tell."""
    asked = []

    def teach(views, teacher):
        asked.append(views.seed)
        return torch.full((len(views.photographs), views.count, DIM), float(views.seed)).half()

    monkeypatch.setattr("imgcodec.training.semantic.recipe.Teacher", lambda device: None)
    monkeypatch.setattr("imgcodec.training.semantic.recipe.teach", teach)
    made = pictures(4)
    views = Views(made, 2, 1)

    def taught(views):
        return _taught(views, tmp_path, torch.device("cpu"))[0, 0, 0]

    assert [taught(views), taught(views), asked] == [1, 1, [1]]
    assert not capsys.readouterr().err
    assert [taught(replace(views, seed=2)), asked] == [2, [1, 2]]
    assert "the teacher looks at all views again" in capsys.readouterr().err
    assert [taught(Views(made[::-1], 2, 2)), asked] == [2, [1, 2, 2]]
    assert [taught(Views(made[::-1], 2, 2)), asked] == [2, [1, 2, 2]]


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


def test_the_shipped_recipe_makes_a_model_of_less_than_16_mib_with_an_encoder_of_less_than_6():
    recipe = read_recipe(RECIPE, [])
    assert isinstance(recipe, SemanticRecipe)
    tokenizer = build_tokenizer(recipe.features, recipe.decoder, recipe.upscaler)
    tensors, metadata = semantic_model_contents(tokenizer, ChannelPrior(tokenizer.encoder.dim))
    sizes = {name: tensor.numel() * tensor.element_size() for name, tensor in tensors.items()}
    assert sum(size for name, size in sizes.items() if ".encoder." in name) < 6 * 2**20
    assert sum(sizes.values()) + 200 * len(sizes) + len(str(metadata)) < 16 * 2**20
    assert tokenizer.encoder.dim == 512


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("phases.0.trains='all'", "encoder, both, decoder or upscaler"),
        ("loss.distil=-1", "distil must be"),
        ("loss.temperature=0", "temperature must be above 0"),
        ("loss.other=1", "nothing is called 'loss.other'"),
        ("features.side=33", "side must be"),
        ("features.kind='other'", "no encoder"),
        ("decoder.patch=5", "side must be"),
        ("upscaler.width=0", "an upscaler is"),
        ("views=0", "views must be"),
        ("layout_bytes=0", "layout_bytes"),
        ("batch=0", "batch must be"),
        ("phases.0.batch=-1", "batch must be"),
        ("phases.0.batch=1.5", "batch must be"),
        ("threads=-1", "threads must be"),
        ("mixed='yes'", "mixed must be true or false, not 'yes'"),
        ("phases=[]", "it has no phases"),
        ("features='open_clip'", "Features are open_clip:MODEL/WEIGHTS"),
    ],
)
def test_impossible_recipes_are_refused(tmp_path, setting, words):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, recipe_text("both", "decoder", "upscaler"), setting)


@pytest.mark.parametrize(
    ("losses", "idle"),
    [
        ({"contrast": 0.0}, ["encoder"]),
        ({"diffusion": 0.0}, ["decoder"]),
        ({"contrast": 0.0, "diffusion": 0.0}, ["encoder", "both", "decoder"]),
        ({"contrast": 0.0, "diffusion": 0.0, "tv_w": 0.1}, ["encoder"]),
        ({"contrast": 0.0, "diffusion": 0.0, "distil": 0.1}, ["decoder"]),
    ],
)
def test_a_phase_without_a_loss_is_refused(tmp_path, losses, idle):
    for phase in ("encoder", "both", "decoder"):
        text = recipe_text(phase, **losses)
        if phase not in idle:
            assert read(tmp_path, text).phases[0].name == phase
            continue
        with pytest.raises(UsageError, match=f"the phase {phase} would learn nothing"):
            read(tmp_path, text)


def test_phases_of_the_decoder_come_last(tmp_path):
    with pytest.raises(UsageError, match="come first"):
        read(tmp_path, recipe_text("decoder", "both"))


def test_clip_is_not_trained(tmp_path):
    features = "{kind = 'open_clip', model = 'ViT-B-32', weights = 'x'}"
    with pytest.raises(UsageError, match="phases train the decoder or the upscaler"):
        read(tmp_path, recipe_text("both"), f"features={features}")
    recipe = read(tmp_path, recipe_text("decoder"), f"features={features}")
    assert build_tokenizer(recipe.features, recipe.decoder).encoder.dim == 512
    assert replace(recipe, loss=SemanticLoss()).loss.distil == 1
