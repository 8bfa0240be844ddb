"""A model in ONNX Runtime: files of either engine decode to the same tokens, and a machine that computes differently is
refused. Its walk is compared with PyTorch's in tests/graphs/test_prior.py."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgcodec
from imgcodec import UnusableModelError, UsageError
from imgcodec.graphs.integers import Layers
from imgcodec.graphs.products import Products
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.model_file.contents import open_contents
from imgcodec.profiles.photo import onnx_model
from imgcodec.profiles.photo.onnx_model import OnnxModel, begin_onnx_model
from imgcodec.runtime import Session

GOLDEN = Path(__file__).parents[2] / "golden"
TINY = GOLDEN / "tiny.safetensors"
ENGINES = ("onnx", "torch")
MODELS = {engine: imgcodec.load_model(TINY, engine=engine) for engine in ENGINES}


@settings(max_examples=15)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 100), st.integers(0, 2**32 - 1))
def test_files_of_either_engine_decode_to_the_same_tokens(width, height, quality, seed):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (-(-height // 6), -(-width // 6), 3)).repeat(6, 0).repeat(6, 1)[:height, :width]
    for writer in ENGINES:
        data = MODELS[writer].compress(picture.astype(np.uint8), quality=quality, exact=False)
        tokens = {engine: MODELS[engine].read_tokens(data) for engine in ENGINES}
        assert tokens["onnx"].sha256() == tokens["torch"].sha256()
        assert {MODELS[engine].write_tokens(tokens[engine]) for engine in ENGINES} == {data}
        pictures = [np.asarray(MODELS[engine].decompress(data)).astype(int) for engine in ENGINES]
        assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_the_shipped_model_is_the_same_in_both():
    picture = np.random.default_rng(0).integers(0, 256, (12, 20, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    models = [imgcodec.load_model("photo", engine=engine) for engine in ENGINES]
    data = models[0].compress(picture, quality=60)
    assert models[0].read_tokens(data).sha256() == models[1].read_tokens(data).sha256()
    pictures = [np.asarray(model.decompress(data)).astype(int) for model in models]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_torch_is_not_imported():
    program = f"""
import sys, imgcodec
import numpy as np
model = imgcodec.load_model({str(TINY)!r}, engine="onnx")
data = model.compress(np.zeros((20, 30, 3), np.uint8), quality=30, exact=False)
assert model.decompress(data).size == (30, 20)
assert model.decompress(data, thumbnail=4).size == (4, 3)
assert imgcodec.info(data).size == (30, 20)
assert "torch" not in sys.modules and "scipy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_more_effort_takes_pytorch(monkeypatch):
    picture = np.random.default_rng(1).integers(0, 256, (9, 9, 3)).repeat(5, 0).repeat(5, 1).astype(np.uint8)
    model = imgcodec.load_model(TINY, engine="onnx")
    assert model.read_tokens(model.compress(picture, effort=2)).header.width == 45
    assert model.tokenizer is model._codec.photo.in_torch().tokenizer
    monkeypatch.setattr(onnx_model, "is_installed", lambda name: False)
    without = imgcodec.load_model(TINY, engine="onnx")
    with pytest.raises(UsageError, match="needs the engine torch, which is not installed"):
        without.compress(picture, effort=2)


def seen(walk, size):
    steps = []

    def code(stage, first, groups, parameters, parity):
        steps.append(parameters)
        return np.ones((groups, *parameters.shape[1:]), np.int32)

    walk(size, 9000, code)
    return steps


def built_model(contents) -> OnnxModel:
    """The model of a file, behind all its known-answer tests."""
    model = begin_onnx_model(contents)
    model.check()
    return model


def test_graphs_are_optimized_after_a_while_and_stay_the_same(monkeypatch):
    walk = built_model(open_contents(TINY)).walk
    assert [bool(session._made) for session in walk._steps + walk._optimized] == [True] * 8 + [False] * 8
    plain = seen(walk, (4, 4))
    monkeypatch.setattr(onnx_model, "WORTH_OPTIMIZING", 20)
    optimized = seen(walk, (4, 4))
    assert all(session._made for session in walk._optimized)
    assert all(np.array_equal(a, b) for a, b in zip(plain, optimized, strict=True))


def test_an_optimizer_that_changes_an_integer_is_not_used(monkeypatch):
    walk = built_model(open_contents(TINY)).walk
    monkeypatch.setattr(onnx_model, "WORTH_OPTIMIZING", 0)
    plain, right = seen(walk, (4, 4)), walk._optimized[3]
    walk = built_model(open_contents(TINY)).walk

    def wrong(feeds):
        found = right(feeds)
        found["parameters"] = found["parameters"].copy()
        found["parameters"].flat[7] += 1
        return found

    walk._optimized[3] = wrong
    assert not walk._is_the_same_when_optimized
    assert all(np.array_equal(a, b) for a, b in zip(plain, seen(walk, (4, 4)), strict=True))


# Products of bytes


@pytest.mark.parametrize(
    ("exact", "fastest"),
    [
        ({Products.SIGNED, Products.UNSIGNED}, Products.SIGNED),
        ({Products.UNSIGNED}, Products.UNSIGNED),
        (set(), Products.FLOAT),
    ],
)
def test_the_fastest_products_are_taken_of_those_that_are_exact(monkeypatch, exact, fastest):
    here = onnx_model.is_exact(fastest) if fastest != Products.FLOAT else True
    monkeypatch.setattr(onnx_model, "is_exact", exact.__contains__)
    assert onnx_model.fastest_products.__wrapped__() == fastest
    monkeypatch.setattr(onnx_model, "fastest_products", lambda: fastest)
    if not here:
        pytest.skip("this processor cuts sums of signed bytes")
    assert built_model(open_contents(TINY)).walk._is_the_same_when_optimized


def test_too_little_memory_is_no_lack_of_products(monkeypatch):
    def failing(session, feeds):
        raise MemoryError

    monkeypatch.setattr(Session, "__call__", failing)
    with pytest.raises(MemoryError):
        onnx_model.is_exact(Products.UNSIGNED)


def test_an_engine_that_loses_a_bit_of_a_sum_is_not_exact(monkeypatch):
    assert onnx_model.is_exact(Products.UNSIGNED)
    usual = Session.__call__

    def losing(session, feeds):
        found = usual(session, feeds)
        found["positive_sums"] = found["positive_sums"].clip(None, found["positive_sums"].max() - 1)
        return found

    monkeypatch.setattr(Session, "__call__", losing)
    assert not onnx_model.is_exact(Products.UNSIGNED)


# The known-answer tests


@pytest.mark.parametrize(
    ("name", "place", "change"),
    [
        ("prior.fine.blocks.1.attention.project.weight", 7, 40),
        ("prior.fine.blocks.1.attention.project.bias", 5, 2000),
        ("prior.upsample.weight", 99, 40),
        ("prior.coarse.start.rows", 17, 40),
        ("prior.fine.heads.1.predict.weight", 3, 40),
    ],
)
def test_changed_numbers_are_noticed(name, place, change):
    contents = open_contents(TINY)
    assert isinstance(built_model(contents), OnnxModel)
    numbers = np.array(contents.tensors[name].numpy())
    numbers.flat[place] += change if numbers.flat[place] <= 0 else -change
    contents.tensors[name] = StoredTensor(contents.tensors[name].type, numbers.shape, numbers.tobytes())
    with pytest.raises(UnusableModelError, match="This machine computes tiny differently"):
        built_model(contents)


@pytest.mark.parametrize("layer", ["linear", "depthwise", "attend", "curve"])
def test_a_layer_that_loses_a_bit_is_noticed(monkeypatch, layer):
    right = getattr(Layers, layer)

    def wrong(layers, *arguments, **options):
        graph = layers.graph
        halved = graph.add("Mul", right(layers, *arguments, **options), graph.constant(np.float32(0.5)))
        return graph.add("Mul", graph.add("Floor", halved), graph.constant(np.float32(2)))

    monkeypatch.setattr(Layers, layer, wrong)
    with pytest.raises(UnusableModelError, match="This machine computes tiny differently"):
        built_model(open_contents(TINY))


def test_other_pixels_are_noticed(monkeypatch):
    contents = open_contents("photo")
    wrong = replace(contents, picture="AAAA" + contents.picture[4:])
    with pytest.raises(UnusableModelError, match="This machine computes photo differently"):
        built_model(wrong)


def test_nothing_is_coded_before_the_integers_are_right():
    contents = open_contents(TINY)
    model = begin_onnx_model(replace(contents, answer="0" * 64))
    model.transforms.quantize(np.zeros((1, model.transforms.config.channels[1], 4, 4), np.float32), 0, False)
    for _ in range(2):  # and not the second time either
        with pytest.raises(UnusableModelError, match="This machine computes tiny differently"):
            _ = model.walk
    assert begin_onnx_model(contents).walk is not None


def test_a_tune_is_tested_before_it_is_used():
    contents = open_contents("photo")
    model = begin_onnx_model(replace(contents, picture="AAAA" + contents.picture[4:]))  # wrong in the first tune alone
    config = model.transforms.config
    latent, levels = np.zeros((1, config.channels[1], 4, 4), np.float32), config.levels
    coarse, fine = (
        np.full((count, side, side), config.zero, np.int16) for count, side in zip(config.channels, (1, 4), strict=True)
    )
    whole = (0, 0, 64, 64)
    model.transforms.quantize(latent, levels, True)
    model.transforms.synthesise(coarse, fine, levels, whole)
    for use in (
        lambda: model.transforms.quantize(latent, 0, True),
        lambda: model.transforms.synthesise(coarse, fine, 0, whole),
        lambda: model.transforms.reduced(coarse, fine, 0, 8),
        model.check,
    ):
        with pytest.raises(UnusableModelError, match="This machine computes photo differently"):
            use()
