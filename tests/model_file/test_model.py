"""Model files: an id that stands for all that is in them, and refusal of whatever is not sound, before it is used."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import imgcodec
from imgcodec import CodecError, ModelNotFoundError
from imgcodec.metrics.reference import psnr
from imgcodec.model_file import find, model
from imgcodec.model_file.find import find_model, find_model_by_id, id_of_file, version_of
from imgcodec.model_file.model import model_id, save_model
from imgcodec.profiles.photo.model import load_photo_model

TINY = Path(__file__).parents[1] / "golden" / "tiny.safetensors"
GOLDEN_ID = json.loads((TINY.parent / "golden.json").read_text())["model"]["id"]


@pytest.fixture
def contents():
    """Tensors and metadata of the tiny model, free to be changed."""
    with safe_open(TINY, framework="pt") as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}, dict(file.metadata())  # noqa: SIM118


@pytest.fixture
def saved(tmp_path):
    def save(tensors, metadata):
        path = tmp_path / "changed.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
        return str(path)

    return save


# The id


def test_the_id_is_that_of_the_golden_files(contents):
    assert model_id(*contents).hex() == GOLDEN_ID
    assert load_photo_model(str(TINY)).id.hex() == GOLDEN_ID


def test_the_id_changes_with_every_tensor_and_the_configuration(contents):
    tensors, metadata = contents
    ids = {model_id(tensors, metadata)}
    for name, tensor in tensors.items():
        changed = tensor.clone()
        changed.view(torch.uint8).flatten()[-1] ^= 1
        ids.add(model_id({**tensors, name: changed}, metadata))
        ids.add(model_id({**tensors, name: tensor.reshape(1, *tensor.shape)}, metadata))
        ids.add(model_id({**tensors, name: tensor.view(torch.uint8)}, metadata))
        ids.add(model_id({("x" if n == name else n): t for n, t in tensors.items()}, metadata))
    ids.add(model_id(tensors, {**metadata, "config": metadata["config"] + " "}))
    unsigned = sum(tensor.dtype == torch.uint8 for tensor in tensors.values())  # a view as uint8 is no change
    assert len(ids) == 2 + 4 * len(tensors) - unsigned


def test_the_id_does_not_change_with_order_memory_or_notes(contents):
    tensors, metadata = contents
    turned = {name: tensors[name] for name in reversed(tensors)}
    name = next(n for n, t in tensors.items() if t.dim() == 4 and t.shape[2] > 1)
    turned[name] = turned[name].contiguous(memory_format=torch.channels_last)
    assert model_id(turned, {"config": metadata["config"], "note": "another"}).hex() == GOLDEN_ID


def test_a_saved_model_loads(contents, tmp_path):
    path = tmp_path / "again.safetensors"
    assert save_model(path, *contents).hex() == GOLDEN_ID
    assert load_photo_model(str(path)).id.hex() == GOLDEN_ID


# Finding


def test_missing_models_are_refused():
    with pytest.raises(ModelNotFoundError, match="'nothing' is not installed"):
        find_model("nothing")
    with pytest.raises(ModelNotFoundError):
        find_model("nowhere/nothing.safetensors")
    with pytest.raises(ModelNotFoundError, match="0102030405060708"):
        find_model_by_id(bytes([1, 2, 3, 4, 5, 6, 7, 8]))


def test_a_model_is_found_by_name_and_by_id(tmp_path, monkeypatch):
    monkeypatch.setattr(find.resources, "files", lambda _: tmp_path)
    shutil.copy(TINY, tmp_path / "small.safetensors")
    assert find_model("small") == tmp_path / "small.safetensors"
    assert find_model_by_id(bytes.fromhex(GOLDEN_ID)) == tmp_path / "small.safetensors"
    with pytest.raises(ModelNotFoundError, match="there are: small"):
        find_model("large")


@pytest.mark.parametrize("path", sorted(TINY.parent.glob("*.safetensors")), ids=lambda path: path.stem)
def test_the_id_of_a_file_is_that_of_its_tensors(path):
    assert id_of_file(version_of(path)) == model.open_model(path).id


def test_files_that_are_no_models_have_no_id(tmp_path, monkeypatch):
    for data in (b"", b"not a model", TINY.read_bytes()[:5000]):
        (tmp_path / "broken.safetensors").write_bytes(data)
        with pytest.raises(CodecError, match=r"^broken\.safetensors is not a safetensors file"):
            id_of_file(version_of(tmp_path / "broken.safetensors"))
    with pytest.raises(CodecError, match="cannot be read"):
        version_of(tmp_path / "nothing.safetensors")
    monkeypatch.setattr(find, "LARGEST_FILE", 1000)
    with pytest.raises(CodecError, match="too large"):
        id_of_file(version_of(TINY)._replace(mtime_ns=0))


# Refusal


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


@pytest.mark.parametrize(
    ("name", "index", "change"),
    [
        (WEIGHT, (5, 3), 40),
        (BIAS, 5, 2000),
        ("prior.upsample.weight", (9, 9), 40),
        ("prior.coarse.start.rows", (1, 3), 40),
    ],
)
def test_the_known_answer_test_notices_changed_numbers(contents, saved, name, index, change):
    tensors, metadata = contents
    value = tensors[name][index]
    tensors[name][index] = torch.where(value > 0, value - change, value + change)
    with pytest.raises(CodecError, match="computes changed differently"):
        load_photo_model(saved(tensors, metadata))


@pytest.mark.parametrize("data", [b"", b"not a model", TINY.read_bytes()[:5000], b"\xff" * 8 + TINY.read_bytes()[8:]])
def test_files_that_are_no_models_are_refused(tmp_path, data):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(data)
    with pytest.raises(CodecError, match=r"broken\.safetensors is not a safetensors file"):
        load_photo_model(str(path))


def test_files_over_the_largest_size_are_refused(monkeypatch):
    monkeypatch.setattr(model, "LARGEST_FILE", 1000)
    with pytest.raises(CodecError, match="too large"):
        load_photo_model(str(TINY))


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
    files = [imgcodec.compress(picture, quality=quality, tune=tune) for quality in (60, 100)]
    found = [psnr(picture, np.asarray(imgcodec.decompress(file))) for file in files]
    assert found[1] > max(40, found[0])
