"""Semantic model files as untrusted input, and their size."""

import json

import pytest
import torch
from safetensors import safe_open

import imgcodec
from imgcodec import CodecError
from imgcodec.priors.channel import ChannelPrior
from imgcodec.profiles.semantic.model import build_tokenizer, round_as_stored, semantic_model_contents


@pytest.fixture
def contents(semantic_path):
    with safe_open(semantic_path, framework="pt") as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}, dict(file.metadata())  # noqa: SIM118


def without_digest(metadata):
    return {name: value for name, value in metadata.items() if name != "digest"}


def with_config(metadata, part, **change):
    config = json.loads(metadata["config"])
    config[part] |= change
    return {**without_digest(metadata), "config": json.dumps(config)}


def test_weights_are_those_that_were_rounded(semantic_path, contents):
    tensors, metadata = contents
    config = json.loads(metadata["config"])
    assert config["profile"] == "semantic"
    assert {t.dtype for t in tensors.values()} == {torch.int8, torch.int32, torch.float32}
    tokenizer = build_tokenizer(config["features"], config["decoder"])
    kept = {name: tensor.clone() for name, tensor in tokenizer.state_dict().items()}
    round_as_stored(tokenizer)
    stored, _ = semantic_model_contents(tokenizer, ChannelPrior(40))
    for name, tensor in tokenizer.state_dict().items():
        assert torch.equal(stored[f"tokenizer.{name}"].float() * stored.get(f"tokenizer.{name}.scale", 1), tensor)
        assert torch.allclose(tensor, kept[name], atol=float(kept[name].abs().max()) / 127 + 1e-9)
    round_as_stored(tokenizer)
    for name, tensor in semantic_model_contents(tokenizer, ChannelPrior(40))[0].items():
        assert torch.allclose(tensor.float(), stored[name].float(), rtol=1e-6), name


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("features", {"kind": "other"}, "no encoder 'other'"),
        ("features", {"layout": 23}, "shape"),
        ("features", {"side": 2**16}, "too many"),
        ("features", {"side": 33}, "side must be"),
        ("features", {"surprise": 1}, "unknown field"),
        ("decoder", {"base": 32}, "shape"),
        ("decoder", {"patch": 3}, "side must be"),
        ("decoder", {"blocks": 65}, "at most 64 blocks"),
        ("decoder", {"base": 4096}, "at most 4096 wide"),
        ("features", {"blocks": [2**18, 1]}, "at most 64 blocks"),
        ("features", {"widths": [2**16, 32]}, "at most 4096 wide"),
        ("decoder", {"schedule": "square"}, "linear or cosine"),
        ("decoder", {"base": 17}, "multiples of 16"),
    ],
)
def test_configurations_that_fit_nothing_are_refused(contents, saved, part, change, words):
    tensors, metadata = contents
    with pytest.raises(CodecError, match=words):
        imgcodec.load_model(saved(tensors, with_config(metadata, part, **change)))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("prior.weights", lambda t: t[:-1], "shape"),
        ("prior.weights", lambda t: t + 1, "weights"),
        ("prior.weights", lambda t: t.roll(1, 0), "differently"),
        ("tokenizer.quantizer.scale", torch.zeros_like, "scale"),
        ("tokenizer.decoder.unet.stem.weight", lambda t: t[:, :-1], "shape"),
        ("tokenizer.encoder.linear", None, "missing"),
    ],
)
def test_damaged_tensors_are_refused(contents, saved, name, change, words):
    tensors, metadata = contents
    if change is None:
        del tensors[name]
    else:
        tensors[name] = change(tensors[name])
    with pytest.raises(CodecError, match=words):
        imgcodec.load_model(saved(tensors, without_digest(metadata)))


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("upscaler", [], "instead of an object"),
        ("upscaler", 5, "instead of an object"),
        ("upscaler", {"width": 2**13}, "an upscaler is"),
        ("upscaler", {"width": 4, "blocks": 1}, "missing"),
        ("decoder", "", "instead of an object"),
        ("features", [["kind", "shipped"]], "instead of an object"),
        ("features", {}, "no encoder"),
    ],
)
def test_parts_of_other_kinds_are_refused(contents, saved, part, value, words):
    tensors, metadata = contents
    config = json.loads(metadata["config"]) | {part: value}
    with pytest.raises(CodecError, match=words):
        imgcodec.load_model(saved(tensors, without_digest(metadata) | {"config": json.dumps(config)}))
