"""Model files: an id that stands for all that is in them, and refusal of whatever is not sound, before it is used."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from imgcodec import CodecError, UnusableModelError
from imgcodec.model_file import contents as contents_file
from imgcodec.model_file import find
from imgcodec.model_file.model import model_digest, open_model, save_model
from imgcodec.profiles.photo.model import load_photo_model, photo_model_contents

TINY = Path(__file__).parents[1] / "golden" / "tiny.safetensors"
GOLDEN_ID = json.loads((TINY.parent / "golden.json").read_text())["model"]["id"]


# The id


def model_id(tensors, metadata):
    return model_digest(tensors, metadata)[:8]


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
    monkeypatch.setattr(contents_file, "LARGEST_FILE", 1000)
    with pytest.raises(CodecError, match="too large"):
        load_photo_model(str(TINY))


# Damage


@pytest.fixture
def with_digest(contents, tmp_path) -> Path:
    """The tiny model as it would be saved today, but for the picture."""
    save_model(tmp_path / "own.safetensors", *contents)
    return tmp_path / "own.safetensors"


def places(data: bytes) -> dict[str, tuple[int, int]]:
    """First and last byte of each tensor in a model file."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__")
    return {name: tuple(8 + size + offset for offset in entry["data_offsets"]) for name, entry in header.items()}


def flip(path: Path, position: int, bit: int) -> bytes:
    """Flips a bit of a file; returns what was there before."""
    before = path.read_bytes()
    path.write_bytes(before[:position] + bytes([before[position] ^ 1 << bit]) + before[position + 1 :])
    return before


def test_each_of_200_flipped_bits_over_all_tensors_is_caught(with_digest):
    rng = np.random.default_rng(0)
    parts = list(places(with_digest.read_bytes()).values())
    assert len(parts) < 200
    for number in range(200):
        first, end = parts[number % len(parts)]
        before = flip(with_digest, int(rng.integers(first, end)), int(rng.integers(8)))
        with pytest.raises(UnusableModelError, match=r"^The model own is (damaged, its numbers|not sound)"):
            open_model(with_digest)
        with_digest.write_bytes(before)
    assert open_model(with_digest).id.hex() == GOLDEN_ID


def test_a_flipped_bit_in_the_header_is_caught_or_changes_no_number(with_digest):
    """Without its digest a file is one of those that never had any."""
    rng = np.random.default_rng(0)
    (size,) = struct.unpack("<Q", with_digest.read_bytes()[:8])
    refused = 0
    for position in rng.integers(8, 8 + size, 200):
        before = flip(with_digest, int(position), int(rng.integers(8)))
        try:
            assert open_model(with_digest).id.hex() == GOLDEN_ID
        except UnusableModelError:
            refused += 1
        with_digest.write_bytes(before)
    assert refused > 100


def test_a_model_of_before_there_were_digests_loads():
    file = open_model(TINY)
    assert (file.has_digest, file.picture) == (False, None)
    assert load_photo_model(str(TINY)).id == file.id


def shipped(folder: Path, monkeypatch, contents) -> Path:
    """The folder as that of the package, with one model in it and in the table of ids."""
    monkeypatch.setattr(find, "_folder", lambda: folder)
    path = folder / "one.safetensors"
    (folder / find.TABLE).write_text(json.dumps({"one": save_model(path, *contents).hex()}))
    return path


def test_a_shipped_model_has_the_id_of_its_name_even_where_its_digest_was_made_anew(contents, tmp_path, monkeypatch):
    path, (tensors, metadata) = shipped(tmp_path, monkeypatch, contents), contents
    assert open_model("one").id.hex() == GOLDEN_ID
    tensors["tokenizer.analysis.linear.weight"][3, 1, 5, 5] += 0.25
    save_model(path, tensors, metadata)
    for name in ("one", path):
        with pytest.raises(UnusableModelError, match=r"^The installed model one is damaged.*install imgcodec again\.$"):
            open_model(name)
    copy = tmp_path.parent / "one.safetensors"  # somebody's own model, whatever its name
    copy.write_bytes(path.read_bytes())
    assert open_model(copy).id.hex() != GOLDEN_ID


def test_a_damaged_shipped_model_is_found_by_its_id_and_then_refused(contents, tmp_path, monkeypatch):
    """Users of good files are not told to install another release."""
    path = shipped(tmp_path, monkeypatch, contents)
    data = bytearray(path.read_bytes())
    first, end = places(data)["prior.upsample.weight"]
    data[first : first + min(64, end - first)] = bytes(64)[: end - first]
    for damaged in (bytes(data), bytes(100), bytes(data[:5000])):
        path.write_bytes(damaged)
        found = find.find_model_by_id(bytes.fromhex(GOLDEN_ID))
        assert found == path
        with pytest.raises(UnusableModelError, match=r"^The installed model one is damaged.*install imgcodec again\.$"):
            open_model(found)


def test_without_the_table_models_are_found_by_what_is_in_them(contents, tmp_path, monkeypatch):
    path = shipped(tmp_path, monkeypatch, contents)
    for table in (None, b"", b"[]", b'{"one": 1}', b'{"one": "x"}', b"\xff"):
        (tmp_path / find.TABLE).unlink(missing_ok=True)
        if table is not None:
            (tmp_path / find.TABLE).write_bytes(table)
        assert find.shipped_ids() == {}
        assert find.find_model_by_id(bytes.fromhex(GOLDEN_ID)) == path
        assert open_model("one").id.hex() == GOLDEN_ID


@pytest.mark.parametrize(
    "name", ["analysis.linear.weight", "analysis.net.1.weight", "synthesis.coarse.0.first.weight", "log_gain.1"]
)
def test_a_changed_transform_is_noticed_where_the_digest_was_made_anew(contents, tmp_path, name):
    tiny = load_photo_model(str(TINY))
    tensors, metadata = photo_model_contents(tiny.tokenizer, tiny.prior, tiny.tables, tiny.lambdas)
    path = tmp_path / "own.safetensors"
    save_model(path, tensors, metadata)
    load_photo_model(str(path))
    tensors[f"tokenizer.{name}"] *= -1
    save_model(path, tensors, metadata)
    with pytest.raises(UnusableModelError, match="This machine computes own differently"):
        load_photo_model(str(path))
