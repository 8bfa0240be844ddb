"""`imgcodec data`: shards of folders with all sorts of files in them, and what is asked of a download."""

import hashlib
import io
import json
import os
import re
import resource
import tarfile
from pathlib import Path

import numpy as np
import pytest
from in_process import invoke_silent
from PIL import Image

import imgcodec
from imgcodec.storage import folders
from imgcodec.training.data import load_photographs


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve good pictures of several formats, in folders; and what is none."""
    folder = tmp_path / "pictures"
    (folder / "in" / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    suffixes = ("png", "jpg", "webp", "tif", "ppm", "bmp")
    for index in range(12):
        place = folder / ("in/deep" if index % 3 else ".") / f"{index}.{suffixes[index % 6]}"
        Image.fromarray(rng.integers(0, 256, (20 + index, 30, 3), dtype=np.uint8)).save(place)
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:500])
    (folder / "text.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes((folder / "0.png").read_bytes())
    os.mkfifo(folder / "pipe.png")
    return folder


def manifest(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_shards(pictures, tmp_path) -> None:
    code, told = invoke_silent("data", "pack", pictures, "-o", tmp_path / "a", "--shard-size", "20KiB", "--seed", 3)
    assert code == 0
    *skipped, summary = told.splitlines()
    assert sorted(line.split(": ")[0] for line in skipped) == ["Skipped cut.png", "Skipped text.txt"]
    shards = sorted((tmp_path / "a").glob("*.tar"))
    total = sum(shard.stat().st_size for shard in shards)
    assert summary == f"{tmp_path}/a: 12 pictures in {len(shards)} shards of {total} bytes, 2 files skipped"
    assert len(shards) > 1
    assert max(shard.stat().st_size for shard in shards) <= 20 * 1024
    lines = manifest(tmp_path / "a")
    assert sorted({line["shard"] for line in lines}) == [shard.name for shard in shards]
    members = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            members |= {(shard.name, m.name): tar.extractfile(m).read() for m in tar}
    assert list(members) == [(line["shard"], line["name"]) for line in lines]
    for line, data in zip(lines, members.values(), strict=True):
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        original = Image.open(pictures / line["source"])
        stored = Image.open(io.BytesIO(data))
        assert stored.size == original.size == (line["width"], line["height"])
        assert np.array_equal(np.asarray(stored), np.asarray(original))
    assert len(load_photographs(shards, 8)) == 12


def test_shards_are_the_same_for_the_same_seed(pictures, tmp_path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert invoke_silent("data", "pack", pictures, "-o", tmp_path / name, "--seed", seed)[0] == 0
    a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b", "c"))
    assert a == b
    assert a.keys() == c.keys()
    assert a != c


def test_splits(pictures, tmp_path) -> None:
    (tmp_path / "more" / "x").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "more" / "x" / "one.png")
    folders = (pictures, tmp_path / "more" / "x")
    shares = "train=0.6,valid=0.2,test=0.2"
    assert invoke_silent("data", "pack", *folders, "-o", tmp_path / "a", "--split", shares)[0] == 0
    sources = {}
    for line in manifest(tmp_path / "a"):
        sources.setdefault(line["shard"].split("-")[0], []).append(line["source"])
    assert set(sources) == {"train", "valid", "test"}
    assert sum(map(len, sources.values())) == len(set().union(*sources.values())) == 13
    assert all(s.startswith(("pictures/", "x/")) for part in sources.values() for s in part)
    assert 7 <= len(sources["train"]) <= 9


def test_packing_is_whole_or_not_at_all(pictures, tmp_path) -> None:
    before = sorted(tmp_path.iterdir())
    for arguments, code, words in (
        ((pictures, "--shard-size", "1KB"), 2, "too many for shards of 1000"),
        ((pictures, "--shard-size", "much"), 2, "--shard-size takes"),
        ((pictures, pictures), 2, "twice"),
        ((tmp_path / "nowhere",), 1, "There is no folder"),
        ((pictures / "0.png",), 1, "is not a folder"),
    ):
        got, told = invoke_silent("data", "pack", *arguments, "-o", tmp_path / "out")
        assert (got, words in told) == (code, True), told
        assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "empty").mkdir()
    assert invoke_silent("data", "pack", tmp_path / "empty", "-o", tmp_path / "out")[0] == 1
    assert not (tmp_path / "out").exists()


def test_packing_replaces_only_its_own(pictures, tmp_path) -> None:
    out = tmp_path / "out"
    assert invoke_silent("data", "pack", pictures, "-o", out, "--split", "old=1")[0] == 0
    code, told = invoke_silent("data", "pack", pictures, "-o", out)
    assert code == 1
    assert "-f replaces" in told
    assert (out / "old-000000.tar").exists()
    assert invoke_silent("data", "pack", pictures, "-o", out, "-f")[0] == 0
    assert sorted(os.listdir(out)) == ["manifest.jsonl", "pictures-000000.tar"]
    (out / "mine.png").write_bytes(b"mine")
    assert invoke_silent("data", "pack", pictures, "-o", out, "-f")[0] == 1
    assert invoke_silent("data", "pack", pictures, "-o", pictures, "-f")[0] == 1
    assert (out / "mine.png").read_bytes() == b"mine"
    assert not list(tmp_path.glob(".imgcodec-*"))


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_has_is_not(pictures, tmp_path) -> None:
    left = tmp_path / ".imgcodec-0123.dir"
    left.mkdir()
    (left / "pictures-000000.tar").write_bytes(b"half")
    with folders.whole_folder(tmp_path / "other", False, re.compile("x")) as running:
        assert not left.exists()
        assert invoke_silent("data", "pack", pictures, "-o", tmp_path / "out")[0] == 0
        (running / "x").write_bytes(b"x")
    assert os.listdir(tmp_path / "other") == ["x"]
    assert not list(tmp_path.glob(".imgcodec-*"))


def test_the_first_of_two_runs_wins(pictures, tmp_path) -> None:
    late = folders.whole_folder(tmp_path / "out", False, re.compile("x"))
    (late.__enter__() / "x").write_bytes(b"x")
    assert invoke_silent("data", "pack", pictures, "-o", tmp_path / "out")[0] == 0
    with pytest.raises(imgcodec.CodecError, match="-f replaces"):
        late.__exit__(None, None, None)
    assert sorted(os.listdir(tmp_path / "out")) == ["manifest.jsonl", "pictures-000000.tar"]
    assert not list(tmp_path.glob(".imgcodec-*"))


def test_a_full_disk_leaves_nothing(pictures, tmp_path) -> None:
    before = sorted(tmp_path.iterdir())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (3000, 12_000):  # in the first shard; in its end
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        try:
            code, told = invoke_silent("data", "pack", pictures, "-o", tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert code == 1
        assert told.splitlines()[-1] == f"imgcodec: {tmp_path}/out cannot be written: file too large."
        assert sorted(tmp_path.iterdir()) == before


def test_folders_and_files_that_cannot_be_read(pictures, tmp_path) -> None:
    assert invoke_silent("data", "pack", pictures, "-o", tmp_path / "warm")[0] == 0  # all is imported
    (pictures / "0.png").chmod(0)
    (pictures / "in").chmod(0)
    user = os.geteuid()
    for place in (tmp_path, *tmp_path.parents):
        if place.owner() == pictures.owner() and place.name.startswith(("pytest", "popen", "test_")):
            place.chmod(0o777)
    try:
        if user == 0:
            os.seteuid(65534)
        code, told = invoke_silent("data", "pack", pictures, "-o", tmp_path / "out")
        locked, said = invoke_silent("data", "pack", pictures / "in", "-o", tmp_path / "none")
    finally:
        if user == 0:
            os.seteuid(0)
        (pictures / "in").chmod(0o755)
    assert code == 0
    assert f"Skipped {pictures}/in: permission denied.\n" in told
    assert f"Skipped 0.png: {pictures}/0.png cannot be read: permission denied.\n" in told
    assert (locked, said) == (1, f"imgcodec: {pictures}/in cannot be read: permission denied.\n")
    assert not (tmp_path / "none").exists()


def test_all_options_reach_the_download(tmp_path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("imgcodec.training.picsum.download", lambda *arguments: asked.append(arguments[:5]) or 2)
    code, told = invoke_silent("data", "picsum", "-o", tmp_path, "--count", 3, "--size", 64, "--seed", 7)
    assert (code, told) == (0, f"{tmp_path}: 3 pictures, 2 of them fetched now\n")
    assert invoke_silent("data", "picsum", "-o", tmp_path, "--url", "http://127.0.0.1")[0] == 0
    assert asked == [(tmp_path, 3, 64, 7, "https://picsum.photos"), (tmp_path, 50, 256, 0, "http://127.0.0.1")]


@pytest.mark.parametrize("options", [("--count", 0), ("--size", 7), ("--size", 5001), ("--seed", -1), ("--count", "x")])
def test_downloads_out_of_range_are_usage_errors(tmp_path, options) -> None:
    code, told = invoke_silent("data", "picsum", "-o", tmp_path, *options)
    assert (code, told.count("\n")) == (2, 1)
