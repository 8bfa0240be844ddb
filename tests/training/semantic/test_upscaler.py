"""The upscaler is trained on photographs, alone or after all else."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from small_semantic import pictures, recipe_text, save

from imgcodec import UsageError
from imgcodec.api import Model
from imgcodec.codec import load_codec
from imgcodec.profiles.semantic.codec import with_drawing
from imgcodec.profiles.semantic.drawing import DrawingOptions
from imgcodec.profiles.semantic.model import build_tokenizer
from imgcodec.training.recipe import read_recipe, train
from imgcodec.training.semantic.objective import SemanticData, SemanticNetworks
from imgcodec.training.semantic.upscaler import NOISE, UpscalerObjective, crops, validate
from imgcodec.training.semantic.views import Views

CPU = torch.device("cpu")
SIDE = 16


@pytest.fixture(scope="module")
def views() -> Views:
    return Views(pictures(8), 2, seed=1)


def read(folder, text, *settings):
    path = folder / "recipe.toml"
    path.write_text(text)
    return read_recipe(path, list(settings))


def test_crops_are_the_same_part_at_both_sizes(views):
    small, large = crops(views, 8, step=3, rank=0, side=SIDE)
    assert (small.shape, large.shape) == ((8, 3, 8, 8), (8, 3, 16, 16))
    again = crops(views, 8, step=3, rank=0, side=SIDE)
    assert torch.equal(small, again[0])
    assert torch.equal(large, again[1])
    assert not torch.equal(large, crops(views, 8, step=4, rank=0, side=SIDE)[1])
    difference = torch.nn.functional.avg_pool2d(large, 2) - small
    assert difference.abs().mean() < 3 * NOISE  # those of another part, or of a mirrored one, are five times as far
    assert (small.flip(3) - torch.nn.functional.avg_pool2d(large, 2)).abs().mean() > 5 * NOISE


def test_it_learns_what_the_bicubic_filter_cannot_give(views, tmp_path):
    recipe = read(tmp_path, recipe_text("upscaler"), "upscaler.width=12")
    torch.manual_seed(0)
    networks = SemanticNetworks(build_tokenizer(recipe.features, recipe.decoder, recipe.upscaler))
    data = SemanticData(views, pictures(8, seed=3), 8, CPU)
    objective = UpscalerObjective(networks, mixed=False)
    optimizer = torch.optim.Adam(networks.tokenizer.upscaler.parameters(), 3e-3)
    before = validate(networks, data).figures
    assert before["upscaled_psnr"] == pytest.approx(before["bicubic_psnr"], abs=1e-3)
    losses = []
    for _ in range(160):
        loss, _ = objective(0.0, *crops(views, 8, 0, 0, SIDE))  # a few pictures by heart
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]  # 0.66 of it, with any seed
    report = validate(networks, data)
    assert report.figures["upscaled_psnr"] != before["upscaled_psnr"]
    assert report.pictures["upscaled"].shape == (3, 3 * 2 * SIDE, 8 * 2 * SIDE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("data"), pictures(16))


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    return train(read(place, recipe_text("both", "decoder")), [folder], None, place / "run", resume=False, start=None)


def drawn(path, size):
    codec = with_drawing(load_codec(path), DrawingOptions(steps=3))
    pixels = pictures(1, side=size, seed=5)[0]
    return np.asarray(Model(codec).decompress(Model(codec).compress(pixels)))


def test_an_upscaler_alone_leaves_vectors_and_drawings_as_they_are(trained, folder, tmp_path):
    recipe = read(tmp_path, recipe_text("upscaler"), "phases.0.rate=0.1")
    larger = train(recipe, [folder], None, tmp_path / "run", resume=False, start=str(trained))
    with safe_open(trained, "pt") as old, safe_open(larger, "pt") as new:
        added = set(new.keys()) - set(old.keys())
        assert all(name.startswith("tokenizer.upscaler.net.") for name in added)
        assert added
        for name in old.keys():  # noqa: SIM118, it is no dict
            assert torch.allclose(old.get_tensor(name).float(), new.get_tensor(name).float(), rtol=1e-6), name
    assert np.array_equal(drawn(trained, SIDE), drawn(larger, SIDE))
    assert not np.array_equal(drawn(trained, 3 * SIDE), drawn(larger, 3 * SIDE))
    again = train(recipe, [folder], None, tmp_path / "again", resume=False, start=str(larger))
    assert load_codec(again).id != load_codec(larger).id  # it went on from the first one's weights
    other = read(tmp_path, recipe_text("upscaler"), "decoder.base=32")
    with pytest.raises(UsageError, match="another decoder"):
        train(other, [folder], None, tmp_path / "other", resume=False, start=str(trained))


def test_alone_it_needs_a_model_to_start_from(folder, tmp_path):
    with pytest.raises(UsageError, match="needs a model to start from"):
        train(read(tmp_path, recipe_text("upscaler")), [folder], None, tmp_path / "run", resume=False, start=None)


def test_what_it_learns_from_is_not_enlarged(tmp_path):
    with pytest.raises(UsageError, match="crop must be at least twice"):
        read(tmp_path, recipe_text("upscaler"), "crop=31")
    noisy = Views([np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)], 6, seed=1)
    assert min(min(noisy.view(0, v).shape[:2]) for v in range(6)) < 2 * SIDE
    for step in range(8):  # enlarged, neighbours would be more alike
        _, large = crops(noisy, 1, step, 0, SIDE)
        assert (large[..., 1:] - large[..., :-1]).abs().mean() > 0.18


def test_it_is_trained_last_and_only_where_there_is_one(tmp_path):
    with pytest.raises(UsageError, match="come first"):
        read(tmp_path, recipe_text("upscaler", "decoder"))
    without = recipe_text("decoder").replace('trains = "decoder"', 'trains = "upscaler"')
    with pytest.raises(UsageError, match=r"give it a table \[upscaler\]"):
        read(tmp_path, without)


def test_all_phases_make_one_model(folder, tmp_path):
    recipe = read(tmp_path, recipe_text("both", "decoder", "upscaler"))
    made = train(recipe, [folder], None, tmp_path / "run", resume=False, start=None)
    assert load_codec(made).tokenizer.upscaler.config.width == 4
    assert "upscaled_psnr" in made.with_name("export.json").read_text()
