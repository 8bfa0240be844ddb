"""Shards of tokens: what is written comes back, and of untrusted ones nothing is believed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from shard_contents import content

from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError
from imgcodec.storage import token_shards
from imgcodec.storage.token_shards import TokenShardWriter, read, read_shards
from imgcodec.tokens import Tokens


def hostile(shard: Path, change: str) -> None:
    """Changes a sound shard into one that this program would not make."""
    about, tensors = content(shard)
    first = about["pictures"][0]
    match change:
        case "cut":
            shard.write_bytes(shard.read_bytes()[:-3])
            return
        case "empty":
            shard.write_bytes(b"")
            return
        case "long head":
            shard.write_bytes((2**40).to_bytes(8, "little") + b"{" * 100)
            return
        case "no metadata":
            save_file(tensors, shard)
            return
        case "deep":
            save_file(tensors, shard, {"tokens": "[" * 10**5})
            return
        case "other format":
            about["format"] = "x"
        case "other model":
            about["model"]["id"] = "00" * 8
        case "no model":
            about["model"] = 3
        case "up" | "absolute" | "null" | "empty name" | "no Unicode":
            names = {"up": "a/../../x", "absolute": "/x", "null": "a\0b", "no Unicode": "\ud800"}
            first["name"] = names.get(change, "")
        case "name is a number":
            first["name"] = 3
        case "enormous":
            first |= {"width": 2**31, "height": 2**31}
        case "real width":
            first["width"] = 20.5
        case "many stages":
            first["stage_count"] = 200
        case "no height":
            del first["height"]
        case "other profile":
            first["profile"] = "semantic"
        case "no tensor":
            del tensors["000000.1"]
        case "other shape":
            tensors["000000.1"] = tensors["000000.1"][:, :1]
        case "many tokens":
            tensors["000000.1"] = np.zeros((4, 1000, 1000), np.int16)
        case "other type":
            tensors["000000.0"] = tensors["000000.0"].astype(np.float32)
        case "no code":
            tensors["000000.0"] = tensors["000000.0"] + np.int16(511)
        case "negative":
            tensors["000000.0"] = tensors["000000.0"] - np.int16(511)
        case "quality":
            first["quality"] = 1e308
        case "endless quality":
            first["quality"] = float("inf")
        case "many pictures":
            about["pictures"] = [first] * 20000
    save_file(tensors, shard, {"tokens": json.dumps(about)})


CHANGES = """cut; empty; long head; no metadata; deep; other format; other model; no model; up; absolute; null;
empty name; no Unicode; name is a number; enormous; real width; many stages; no height; other profile; no tensor;
other shape; many tokens; other type; no code; negative; quality; endless quality; many pictures"""


def tokens_of(codec, width: int, height: int, seed: int = 1) -> Tokens:
    """Tokens that need not be of any picture."""
    header, rng = codec.header((width, height), 37.5, None), np.random.default_rng(seed)
    return Tokens(header, [rng.integers(0, 511, stage.shape).astype(np.int16) for stage in codec.empty(header)])


@pytest.fixture
def shard(tmp_path, tiny_codec) -> Path:
    """A sound shard with one picture of 40 x 30 pixels."""
    writer = TokenShardWriter(tmp_path, "tokens", tiny_codec, 10**6, force=False)
    writer.add("a.png", tokens_of(tiny_codec, 40, 30))
    writer.finish()
    return tmp_path / "tokens-000000.safetensors"


@pytest.mark.parametrize("change", [change.strip() for change in CHANGES.split(";")])
def test_untrusted_shards_are_refused_in_one_sentence(tiny_codec, shard, change) -> None:
    assert len(list(read(shard, tiny_codec))) == 1
    hostile(shard, change)
    refusal = ModelNotFoundError if change == "other model" else InvalidFileError
    with pytest.raises(refusal, match=r"^(tokens-000000\.safetensors|The picture) .*\.$") as refused:
        list(read(shard, tiny_codec))
    assert len(str(refused.value)) < 500
    assert "\n" not in str(refused.value)


def test_tokens_come_back_from_shards_of_bounded_size(tmp_path, tiny_codec) -> None:
    given = {f"in/{index}.png": tokens_of(tiny_codec, 20 + 30 * index, 70, index) for index in range(7)}
    writer = TokenShardWriter(tmp_path, "train", tiny_codec, 3000, force=False)
    shards = {name: writer.add(name, tokens) for name, tokens in given.items()}
    writer.finish()
    assert writer.sizes == {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert len(writer.sizes) > 1
    assert max(writer.sizes.values()) <= 3000
    found = [(path.name, *entry) for path in sorted(tmp_path.iterdir()) for entry in read(path, tiny_codec)]
    assert [(shard, name) for shard, name, _ in found] == [(shard, name) for name, shard in shards.items()]
    for _, name, tokens in found:
        assert tokens.header == given[name].header
        assert tokens.sha256() == given[name].sha256()


def test_a_shard_has_no_more_pictures_than_one_may_have(tmp_path, tiny_codec, monkeypatch) -> None:
    monkeypatch.setattr(token_shards, "MOST_PICTURES", 2)
    writer = TokenShardWriter(tmp_path, "tokens", tiny_codec, 10**6, force=False)
    for index in range(5):
        writer.add(f"{index}.png", tokens_of(tiny_codec, 9, 9))
    writer.finish()
    assert [len(list(read(path, tiny_codec))) for path in sorted(tmp_path.iterdir())] == [2, 2, 1]


def test_pictures_over_the_limit_are_refused(tiny_codec, shard) -> None:
    assert len(list(read(shard, tiny_codec, max_pixels=1200))) == 1
    with pytest.raises(InvalidFileError, match="over the limit of 1199 pixels"):
        list(read(shard, tiny_codec, max_pixels=1199))


def test_a_shard_that_is_not_there(tiny_codec, tmp_path) -> None:
    with pytest.raises(CodecError, match=r"^There is no file .*\.$"):
        list(read(tmp_path / "none.safetensors", tiny_codec))


@pytest.mark.parametrize(("name", "safe"), [("a.png", "a.png"), ("in/..a", "in/..a"), ("a\\b:c.png", "a_b_c.png")])
def test_names_are_paths_within_a_folder(name: str, safe: str, tmp_path, tiny_codec) -> None:
    writer = TokenShardWriter(tmp_path, "tokens", tiny_codec, 10**6, force=False)
    writer.add(name, tokens_of(tiny_codec, 9, 9))
    writer.finish()
    assert [found for found, _ in read(tmp_path / "tokens-000000.safetensors", tiny_codec)] == [safe]


def test_shards_are_read_without_a_model(tmp_path, tiny_codec) -> None:
    given = {f"in/{index}.png": tokens_of(tiny_codec, 20 + 30 * index, 70, index) for index in range(5)}
    writer = TokenShardWriter(tmp_path, "train", tiny_codec, 3000, force=False)
    for name, tokens in given.items():
        writer.add(name, tokens)
    writer.finish()
    found = dict(read_shards(tmp_path))
    assert {name: tokens.sha256() for name, tokens in found.items()} == {n: t.sha256() for n, t in given.items()}
    assert all(tokens.header == given[name].header for name, tokens in found.items())
    first = sorted(tmp_path.iterdir())[0]
    assert [name for name, _ in read_shards(str(first))] == list(given)[: len(list(read(first, tiny_codec)))]
    code = f"import imgcodec, sys; print(len(list(imgcodec.read_shards({str(tmp_path)!r}))), 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.split() == [
        b"5",
        b"False",
    ]
    with pytest.raises(CodecError, match="holds no shards"):
        list(read_shards(Path(__file__).parent))


@pytest.mark.parametrize("change", ["cut", "no model", "up", "enormous", "no tensor", "many tokens", "other type"])
def test_without_a_model_untrusted_shards_are_refused_just_so(shard, change) -> None:
    hostile(shard, change)
    with pytest.raises(InvalidFileError):
        list(read_shards(shard))
