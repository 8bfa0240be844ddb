"""The steps of the prior as graphs give the integers of PyTorch's prior, and are what ONNX calls a model."""

import numpy as np
import onnx
import pytest
from graphs.graph_models import TINY
from two_tunes import save_two_tunes

from imgcodec.graphs.prior import step_count, step_graph
from imgcodec.graphs.products import Products
from imgcodec.model_file.contents import open_contents
from imgcodec.priors.integer.constants import TUNE_UNITS
from imgcodec.profiles.photo.model import load_photo_model
from imgcodec.profiles.photo.onnx_model import OnnxWalk


@pytest.fixture(scope="module")
def both_tunes(tmp_path_factory):
    path = tmp_path_factory.mktemp("tunes") / "both.safetensors"
    save_two_tunes(path)
    return path


def seen(walk, size, quality, slices=None):
    """The parameters of all steps, for tokens that look like a picture's, some of them large."""
    steps = []

    def code(stage, first, groups, parameters, parity):
        steps.append((stage, first, parity, parameters))
        rng = np.random.default_rng(len(steps))
        tokens = (2 * rng.standard_cauchy((groups, *parameters.shape[1:]))).clip(-255, 255)
        return np.rint(tokens).astype(np.int32)

    walk(size, quality, code, slices)
    return steps


def same(found, expected):
    return len(found) == len(expected) and all(
        a[:3] == b[:3] and a[3].dtype == b[3].dtype == np.int32 and np.array_equal(a[3], b[3])
        for a, b in zip(found, expected, strict=True)
    )


def walks(path):
    photo, contents = load_photo_model(str(path)), open_contents(path)
    return photo.walk, OnnxWalk(photo.prior_config, contents.config["fractions"], contents.tensors)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 2), (7, 6)])
@pytest.mark.parametrize("quality", [0, 7777, 25600])
def test_all_steps_give_the_integers_of_pytorch(both_tunes, size, quality):
    for path, tunes in ((TINY, 1), (both_tunes, 2)):
        torch_walk, onnx_walk = walks(path)
        for tune in range(tunes):
            units = quality + tune * TUNE_UNITS
            assert same(seen(onnx_walk, size, units), seen(torch_walk, size, units))


@pytest.mark.parametrize("slices", [0, 1, 2, 3, 4])
def test_the_first_slices_are_those_of_all(slices):
    torch_walk, onnx_walk = walks(TINY)
    found = seen(onnx_walk, (3, 2), 9000, slices)
    assert same(found, seen(torch_walk, (3, 2), 9000, slices))
    assert len(found) == 2 * slices


def test_tokens_of_the_tile_alone_are_enough():
    """A coder gives those of the tile; the others are zeros."""
    _, walk = walks(TINY)
    of_tile, of_all = [], []

    def code(steps, is_cut):
        def coded(stage, first, groups, parameters, parity):
            steps.append(parameters)
            tokens = np.zeros((groups, *parameters.shape[1:]), np.int32)
            tokens[:, :1, :1] = 3
            return tokens[:, :1, :1] if is_cut else tokens

        return coded

    walk((1, 1), 5000, code(of_tile, True))
    walk((1, 1), 5000, code(of_all, False))
    assert all(np.array_equal(a, b) for a, b in zip(of_tile, of_all, strict=True))


@pytest.mark.parametrize("products", Products)
def test_graphs_are_models_and_say_what_goes_in_and_out(products):
    contents, config = open_contents(TINY), load_photo_model(str(TINY)).prior_config
    for number in range(step_count(config)):
        graph = step_graph(config, contents.config["fractions"], contents.tensors, number, products)
        model = onnx.load_model_from_string(graph.to_bytes())
        onnx.checker.check_model(model, full_check=True)
        assert [value.name for value in model.graph.input] == list(graph.inputs)
        assert [value.name for value in model.graph.output] == list(graph.outputs)
        assert graph.name == f"prior-{number:02}"
        assert "parameters" in graph.outputs


def test_the_shipped_prior_gives_the_integers_of_pytorch():
    torch_walk, onnx_walk = walks("photo")
    units = 12800 + TUNE_UNITS
    assert same(seen(onnx_walk, (3, 5), units), seen(torch_walk, (3, 5), units))
