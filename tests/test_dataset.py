"""Tokens of folders as a dataset of torch: the same from shards, from .nic files and from the model."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from part_files import made_file, made_pixels
from PIL import Image
from torch.utils.data import DataLoader

import imgcodec
from imgcodec import CodecError, InvalidFileError, TokenDataset
from imgcodec.codec import tokenize
from imgcodec.storage.token_shards import TokenShardWriter

GOLDEN = Path(__file__).parent / "golden"
TINY = GOLDEN / "tiny.safetensors"
SIZES = {"a": (70, 50), "b/c": (20, 90), "d": (130, 40)}


@pytest.fixture
def folder(tmp_path, tiny_codec) -> Path:
    """Two shards with three pictures, a .nic file of one of these in a subfolder, and a file that is neither."""
    writer = TokenShardWriter(tmp_path, "train", tiny_codec, 2200, force=False)
    for name, (width, height) in SIZES.items():
        writer.add(f"{name}.png", tokenize(tiny_codec, made_pixels(width, height), 60))
    writer.finish()
    (tmp_path / "nic").mkdir()
    (tmp_path / "nic" / "d.nic").write_bytes(made_file(tiny_codec, *SIZES["d"], 0, quality=60))
    (tmp_path / "manifest.jsonl").touch()
    return tmp_path


def test_items_are_what_the_model_encodes(folder, tiny_model):
    dataset = TokenDataset(folder, model=TINY)
    assert dataset.names == ["nic/d.nic", "a.png", "b/c.png", "d.png"]
    assert len(list(folder.glob("*.safetensors"))) > 1
    for name, item in zip(dataset.names, (dataset[index] for index in range(len(dataset))), strict=True):
        pixels = made_pixels(*SIZES[name.removeprefix("nic/").rpartition(".")[0]])
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
        expected = [stage[0] for stage in tiny_model.encode(x, quality=60)]
        assert [stage.dtype for stage in item] == [torch.int64] * 2
        assert all(torch.equal(one, other) for one, other in zip(item, expected, strict=True))
    assert dataset.tokens(1).header.width == 70
    assert np.array_equal(dataset.tokens(0).stages[1], dataset.tokens(3).stages[1])


def test_workers_read_the_same(folder):
    shutil.rmtree(folder / "nic")
    dataset = TokenDataset(folder)
    first = dataset[0]
    again = pickle.loads(pickle.dumps(dataset))  # as a worker that is not forked gets it
    assert all(torch.equal(one, other) for one, other in zip(again[0], first, strict=True))
    found = list(DataLoader(dataset, batch_size=None, num_workers=1))
    assert [len(item) for item in found] == [2] * 3
    assert all(torch.equal(one, other) for one, other in zip(found[0], first, strict=True))


def test_a_position_of_a_raster_model_has_one_token(tmp_path):
    shutil.copy(GOLDEN / "bsq-odd-size.nic", tmp_path / "a.nic")
    (stage,) = TokenDataset(tmp_path, model=GOLDEN / "bsq.safetensors")[0]
    tokens = imgcodec.load_model(GOLDEN / "bsq.safetensors").read_tokens(tmp_path / "a.nic")
    assert np.array_equal(stage.numpy(), tokens.stages[0][0])


def test_other_profiles_have_all_their_numbers(tmp_path, semantic_path):
    image = Image.fromarray(made_pixels(70, 50))
    model = imgcodec.load_model(semantic_path)
    (tmp_path / "a.NIC").write_bytes(model.compress(image))
    (tmp_path / "b.nic").write_bytes(imgcodec.compress(image, lossless=True))
    vector, samples = (stages[0] for stages in TokenDataset(tmp_path, model=semantic_path))
    assert np.array_equal(vector.numpy(), model.read_tokens(tmp_path / "a.NIC").stages[0])
    assert vector.shape[1:] == (1, 1)
    assert len(vector) > 1
    assert np.array_equal(samples.permute(1, 2, 0).numpy(), np.asarray(image))


def test_what_is_no_dataset(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "empty", tmp_path / "none", TINY):
        with pytest.raises(CodecError):
            TokenDataset(wrong)
    path = folder / "nic" / "d.nic"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InvalidFileError, match=r"d\.nic: The file"):
        TokenDataset(folder, model=TINY)[0]
    shard = folder / "train-000000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(InvalidFileError, match=shard.name):
        TokenDataset(folder)
