"""Models of the profile `photo`: what is not sound is refused before it is used, and what is stored comes back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from two_tunes import save_two_tunes

import imgcodec
from imgcodec import CodecError
from imgcodec.bitstream.header import Tune
from imgcodec.metrics.reference import psnr
from imgcodec.profiles.photo.model import load_photo_model, photo_model_contents, stored_tensors

TINY = Path(__file__).parents[2] / "golden" / "tiny.safetensors"


def change_config(metadata, **changes):
    config = json.loads(metadata["config"])
    for key, value in changes.items():
        place = config
        *path, last = key.split("__")
        for step in path:
            place = place[step]
        place[last] = value
    metadata["config"] = json.dumps(config, sort_keys=True)


def fill(name, value, index=()):
    def change(tensors, metadata):
        tensors[name][index] = value

    return change


def retype(name, dtype):
    def change(tensors, metadata):
        tensors[name] = tensors[name].to(dtype)

    return change


def float_with(name, value):
    def change(tensors, metadata):
        tensors[name] = tensors[name].float()
        tensors[name].flatten()[0] = value

    return change


def configured(**changes):
    return lambda tensors, metadata: change_config(metadata, **changes)


WEIGHT, BIAS, SHIFT = (f"prior.fine.blocks.1.attention.project.{part}" for part in ("weight", "bias", "shift"))
UNSOUND = {
    "a tensor is missing": lambda tensors, _: tensors.pop(WEIGHT),
    "a tokenizer's tensor is missing": lambda tensors, _: tensors.pop("tokenizer.analysis.linear.weight"),
    "the tables are missing": lambda tensors, _: tensors.pop("tables.weights"),
    "a wrong shape": lambda tensors, _: tensors.update({WEIGHT: tensors[WEIGHT][:-1]}),
    "a wrong shape of a table": lambda tensors, _: tensors.update({"tables.shift": tensors["tables.shift"][:-1]}),
    "too few tables": lambda tensors, _: tensors.update(
        {n: tensors[n][:-16] for n in ("tables.weights", "tables.shift")}
    ),
    "a weight beyond 127": fill(WEIGHT, -128, (0, 0)),
    "a bias beyond 2**24": fill(BIAS, 2**24, 0),
    "a shift beyond 24": fill(SHIFT, 25, 0),
    "a left shift out of the range": fill(SHIFT, -20, 0),
    "a score bias beyond the mask": fill("prior.fine.blocks.1.attention.position", 2**12, (0, 0)),
    "rows that add up to too much": fill("prior.fine.start.rows", 2**23),
    "a weight between integers": float_with(WEIGHT, 0.5),
    "a weight that is no number": float_with(WEIGHT, float("nan")),
    "a table that does not sum to 2**24": fill("tables.weights", 7, (3, 3)),
    "a shift of a table beyond 16": fill("tables.shift", 17, 0),
    "tables of another type": retype("tables.shift", torch.int32),
    "a codeword off its lattice point": fill("tokenizer.codebooks.1", 0, (0, 0)),
    "another format": lambda _, metadata: metadata.update(format="imgcodec-model-2"),
    "another profile": configured(profile="tiny"),
    "no configuration": lambda _, metadata: metadata.pop("config"),
    "a configuration that is not JSON": lambda _, metadata: metadata.update(config="{"),
    "a configuration that is a number": lambda _, metadata: metadata.update(config="7"),
    "an unknown key": configured(prior__depth=3),
    "a string for a number": configured(prior__width="wide"),
    "a width that would need terabytes": configured(prior__width=2**20),
    "heads that do not divide the width": configured(prior__heads=3),
    "a window too large": configured(prior__windows=[24, 4]),
    "slices for other groups": configured(tokenizer__channels=[5, 6]),
    "an even number of codes": configured(tokenizer__codes=510),
    "no fractions": configured(fractions={}),
    "a fraction out of range": configured(**{"fractions__fine.blocks.1.expand": 9}),
    "a fraction that is none": configured(**{"fractions__fine.blocks.1.expand": None}),
    "a fraction that is no integer": configured(**{"fractions__fine.blocks.1.attention": [1, 2.5, 3]}),
    "a fraction too few": configured(**{"fractions__fine.blocks.1.attention": [1, 2]}),
    "no known answer": lambda _, metadata: metadata.pop("answer"),
    "another known answer": lambda _, metadata: metadata.update(answer="0" * 64),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_unsound_models_are_refused(contents, saved, what):
    UNSOUND[what](*contents)
    with pytest.raises(CodecError, match="changed") as refusal:
        load_photo_model(saved(*contents))
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_no_hard_edge_takes_more_codes_than_there_are():
    """Steps of the lowest frequencies are so fine at high quality that 511 of them, as the first models had, did not
    reach from black to white: half of the picture turned gray."""
    photo = load_photo_model("photo")
    tokenizer = photo.tokenizer
    largest = tokenizer.analysis.linear.weight.flatten(1).abs().sum(1)  # from black to white, in latent units
    for tune in range(2):
        level = torch.tensor([tokenizer.config.levels * (tune + 1) - 1.0])
        assert float((tokenizer.gain(1, level)[0, :, 0, 0] * largest).max()) < tokenizer.config.codes // 2
        assert float(tokenizer.gain(0, level).max() * largest.max()) < tokenizer.config.codes // 2


@pytest.mark.parametrize("tune", ["psnr", "visual"])
def test_high_quality_is_high_at_a_hard_edge(tune):
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[:, 72:] = 255
    files = [imgcodec.compress(picture, quality=quality, tune=tune, exact=False) for quality in (60, 100)]
    found = [psnr(picture, np.asarray(imgcodec.decompress(file))) for file in files]
    assert found[1] > max(40, found[0])


def test_a_model_is_stored_as_it_was_read(contents) -> None:
    photo = load_photo_model(str(TINY))
    tensors, metadata = photo_model_contents(photo.tokenizer, photo.prior, photo.tables, photo.lambdas)
    assert tensors.keys() == contents[0].keys()
    for name, tensor in contents[0].items():
        assert tensors[name].dtype == tensor.dtype, name
        assert torch.equal(tensors[name], tensor), name
    assert metadata["answer"] == contents[1]["answer"]
    config, stored = json.loads(metadata["config"]), json.loads(contents[1]["config"])
    for part, value in stored.items():
        if part in ("tokenizer", "prior"):  # what the first models do not say is the default
            value = {**config[part], **value}
        assert config[part] == value


def test_each_tune_has_its_synthesis(tmp_path) -> None:
    save_two_tunes(tmp_path / "both.safetensors")
    for path, visual in ((TINY, "synthesis"), (tmp_path / "both.safetensors", "visual")):
        photo = load_photo_model(str(path))
        assert photo.synthesis(Tune.PSNR) is photo.tokenizer.synthesis
        assert photo.synthesis(Tune.VISUAL) is getattr(photo.tokenizer, visual)


def test_tensors_are_stored_in_the_bits_that_they_need() -> None:
    weight = torch.linspace(-1, 1, 2 * 3 * 3 * 3).view(2, 3, 3, 3)
    for name, tensor, dtype in (
        ("codebooks.0", weight[0], torch.float16),
        ("analysis.linear.weight", weight, torch.float16),
        ("analysis.blocks.0.weight", weight, torch.bfloat16),
        ("log_gain.0", weight[0, 0], torch.float32),
    ):
        assert {n: t.dtype for n, t in stored_tensors(name, tensor).items()} == {name: dtype}
    stored = stored_tensors("visual.blocks.0.weight", weight)
    assert {n.removeprefix("visual.blocks.0."): t.dtype for n, t in stored.items()} == {
        "weight": torch.int8,
        "weight.scale": torch.float32,
    }
    whole, scale = stored.values()
    assert float((whole * scale - weight).abs().max()) <= float(scale.max()) / 2 + 1e-6
