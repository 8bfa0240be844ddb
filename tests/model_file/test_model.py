"""Model files: an id that stands for all that is in them, and refusal of whatever is not sound, before it is used."""

import json
from pathlib import Path

import pytest
import torch

from imgcodec import CodecError
from imgcodec.model_file import model
from imgcodec.model_file.model import model_id, save_model
from imgcodec.profiles.photo.model import load_photo_model

TINY = Path(__file__).parents[1] / "golden" / "tiny.safetensors"
GOLDEN_ID = json.loads((TINY.parent / "golden.json").read_text())["model"]["id"]


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


# Refusal


@pytest.mark.parametrize(
    ("name", "index", "change"),
    [
        ("prior.fine.blocks.1.attention.project.weight", (5, 3), 40),
        ("prior.fine.blocks.1.attention.project.bias", 5, 2000),
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
