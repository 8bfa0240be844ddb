"""The transforms as graphs are those of PyTorch, to far less than a gray level."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from graphs.graph_models import TINY, run
from PIL import Image
from two_tunes import save_two_tunes

from imgcodec.graphs.transforms import analysis, dequantization, quantization, synthesis, transform_graphs
from imgcodec.model_file.contents import open_contents
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.profiles.photo.masking import importance
from imgcodec.profiles.photo.model import load_photo_model
from imgcodec.runtime import number

PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "photo.png"
GREY = 1 / 255
LEVELS = (0.0, 0.4, 2.75, 3.0)


@pytest.fixture(scope="module")
def both_tunes(tmp_path_factory):
    path = tmp_path_factory.mktemp("tunes") / "both.safetensors"
    save_two_tunes(path)
    return path


@pytest.fixture(params=["tiny", "two tunes", "photo"])
def model(request, both_tunes):
    """The tokenizer in PyTorch, and its stored tensors."""
    path = {"tiny": TINY, "two tunes": both_tunes, "photo": "photo"}[request.param]
    return load_photo_model(str(path)).tokenizer, open_contents(path).tensors


def photograph():
    """(1, 3, 128, 192)."""
    with Image.open(PHOTOGRAPH) as image:
        pixels = np.asarray(image.convert("RGB"), np.float32)[:128, :192]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]) / np.float32(255)


def boxed(*ends):
    return np.array(ends, np.int32)


def tokens_of(tokenizer, latent, level):
    coarse, fine = tokenizer.scaled_residuals(latent, torch.tensor([level]))
    return [(tokenizer.zero + stage.round()).to(torch.int32) for stage in (coarse, fine)]


@pytest.mark.parametrize("is_optimized", [False, True])
def test_pictures_go_through_all_of_them(model, is_optimized):
    tokenizer, tensors = model
    config, pixels = tokenizer.config, photograph()
    levels = [*LEVELS, *(level + config.levels for level in LEVELS if config.visual)]
    with exact_arithmetic():
        latent = tokenizer.analysis(torch.from_numpy(pixels))
        feeds = {"pixels": pixels, "shown": boxed(0, 0, 8, 12)}
        found = run(analysis(config, tensors), feeds, is_optimized)["latent"]
        assert np.abs(found - latent.numpy()).max() < 1e-4
        for level in levels:
            feeds = {"latent": latent.numpy(), "level": number(level)}
            values = run(quantization(config, tensors), feeds, is_optimized)
            coarse, fine = tokenizer.scaled_residuals(latent, torch.tensor([level]))
            # a value between two tokens may be rounded either way, and its residual follows
            assert np.mean(values["coarse"] != coarse[0].numpy()) < 0.01
            assert np.mean(np.abs(values["fine"] - fine[0].numpy()) > 1e-3) < 0.01
            expected = importance(tokenizer, latent, fine, torch.tensor([level]))[0].numpy()
            assert np.mean(~np.isclose(values["importance"], expected, rtol=1e-4)) < 0.01

            tokens = tokens_of(tokenizer, latent, level)
            again = tokenizer.dequantize(tokens, torch.tensor([level]))
            feeds = {"coarse": tokens[0][0].numpy(), "fine": tokens[1][0].numpy(), "level": number(level)}
            found = run(dequantization(config, tensors), feeds, is_optimized)["latent"]
            assert np.abs(found - again.numpy()).max() < 1e-4

            visual, of_tune = level >= config.levels, level % config.levels
            expected = (tokenizer.visual if visual else tokenizer.synthesis)(again, torch.tensor([of_tune]))
            graph = synthesis(config, tensors, "any", "visual" if visual else "synthesis")
            feeds = {"latent": again.numpy(), "level": number(of_tune), "shown": boxed(0, 0, 8, 12)}
            found = run(graph, feeds, is_optimized)["pixels"]
            assert np.abs(found - expected.numpy()).max() < 0.01 * GREY


@pytest.mark.parametrize("shown", [(0, 0, 24, 28), (9, 10, 12, 14), (0, 12, 1, 28), (20, 0, 24, 3)])
def test_a_part_is_what_it_is_in_the_whole(model, shown):
    tokenizer, tensors = model
    config, level = tokenizer.config, 2.75
    top, left, bottom, right = shown
    rng = np.random.default_rng(1)
    pixels = rng.random((1, 3, 24 * 16, 28 * 16), np.float32)
    with exact_arithmetic():
        latent = tokenizer.analysis(torch.from_numpy(pixels))
        expected = latent[:, :, top:bottom, left:right]
        graph = analysis(config, tensors)
        found = run(graph, {"pixels": pixels, "shown": boxed(*shown)})["latent"]
        for part in (found, tokenizer.analysis(torch.from_numpy(pixels), shown).numpy()):
            assert part.shape == expected.shape
            assert np.abs(part - expected.numpy()).max() < 1e-4
        for name in ("synthesis", "visual")[: 1 + config.visual]:
            net = getattr(tokenizer, name)
            expected = net(latent, torch.tensor([level]))[:, :, 16 * top : 16 * bottom, 16 * left : 16 * right]
            feeds = {"latent": latent.numpy(), "level": number(level), "shown": boxed(*shown)}
            found = run(synthesis(config, tensors, "any", name), feeds)["pixels"]
            for part in (found, net(latent, torch.tensor([level]), shown).numpy()):
                assert part.shape == expected.shape
                assert np.abs(part - expected.numpy()).max() < 0.01 * GREY


def test_codewords_at_the_ends_are_taken(model):
    tokenizer, tensors = model
    config = tokenizer.config
    latent = np.zeros((1, config.channels[1], 4, 4), np.float32)
    for value in (1e6, -1e6):
        latent[:] = value
        found = run(quantization(config, tensors), {"latent": latent, "level": number(0.0)})
        assert np.array_equal(np.unique(found["coarse"]), [np.sign(value) * config.zero])
        assert np.abs(found["fine"]).max() <= config.zero


def test_graphs_are_models(model):
    tokenizer, tensors = model
    graphs = transform_graphs(tokenizer.config, tensors)
    names = ["analysis", "quantization", "dequantization", "synthesis-psnr"]
    assert [graph.name for graph in graphs] == names + ["synthesis-visual"] * tokenizer.config.visual
    for graph in graphs:
        onnx.checker.check_model(onnx.load_model_from_string(graph.to_bytes()), full_check=True)
