"""`imgcodec tokenize`: pictures to shards of tokens and back."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from in_process import invoke_silent
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file
from shard_contents import content

from imgcodec import codec as pipeline
from imgcodec.codec import detokenize, load_codec, tokenize


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Seven pictures, one of more than one tile, some with names in each other's way; and a file that is none."""
    folder = tmp_path / "pictures"
    (folder / "in").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index, name in enumerate(("a.png", "a.bmp", "b.c.png", "in/a.png", "in/wide.png", "in/one.png")):
        size = {4: (20, 1030), 5: (1, 1)}.get(index, (40 + index, 70))
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        coarse.resize(size[::-1], Image.Resampling.BICUBIC).save(folder / name)
    Image.new("LA", (50, 30), (90, 40)).save(folder / "clear.png")
    (folder / "text.txt").write_text("no picture")
    return folder


def test_pictures_become_shards_and_shards_pictures(run, tiny, tiny_codec, pictures, tmp_path) -> None:
    made = run("tokenize", tiny, "pictures", "-o", "tokens", "-q", "62.5")
    assert (made.returncode, made.stdout) == (0, b"")
    assert made.stderr.decode().splitlines() == [  # and nothing of a bar, for nobody watches
        "clear.png: its transparency is left out.",
        "Skipped text.txt: pictures/text.txt is not an image of a kind that can be read.",
        f"tokens: 7 pictures in 1 shard of {(tmp_path / 'tokens' / 'tokens-000000.safetensors').stat().st_size} bytes,"
        " 1 file skipped",
    ]
    about, tensors = content(tmp_path / "tokens" / "tokens-000000.safetensors")
    assert about["model"] == {"name": "tiny", "id": tiny_codec.id.hex()}
    names = ["a.bmp", "a.png", "b.c.png", "clear.png", "in/a.png", "in/one.png", "in/wide.png"]
    assert [picture["name"] for picture in about["pictures"]] == names
    for index, picture in enumerate(about["pictures"]):
        pixels = np.asarray(Image.open(pictures / picture["name"]).convert("RGB"))
        assert (picture["height"], picture["width"], picture["quality"]) == (*pixels.shape[:2], 62.5)
        for stage, tokens in enumerate(tokenize(tiny_codec, pixels, 62.5).stages):
            assert np.array_equal(tensors[f"{index:06d}.{stage}"], tokens)
    back = tmp_path / "back"
    assert invoke_silent("tokenize", tiny, tmp_path / "tokens", "-o", back, "--decode") == (
        0,
        f"{back}: 7 pictures of 1 shard\n",
    )
    found = {path.relative_to(back).as_posix() for path in back.rglob("*.png")}
    assert found == {"a.png", "a.png.png", "b.c.png", "clear.png", "in/a.png", "in/one.png", "in/wide.png"}
    for name, output in zip(names, ("a.png", "a.png.png", *names[2:]), strict=True):
        pixels = np.asarray(Image.open(pictures / name).convert("RGB"))
        wanted = detokenize(tiny_codec, tokenize(tiny_codec, pixels, 62.5))
        assert np.array_equal(np.asarray(Image.open(back / output)), wanted)


@pytest.mark.parametrize("shards", ["3", "3KB"])
def test_splits_and_shards(tiny, pictures, tmp_path, shards) -> None:
    options = ("--split", "train=0.6,valid=0.4", "--shards", shards)
    for name in ("a", "b"):
        assert invoke_silent("tokenize", tiny, pictures, "-o", tmp_path / name, *options)[0] == 0
    a, b = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert a == b
    lines = [json.loads(line) for line in (tmp_path / "a" / "manifest.jsonl").read_text().splitlines()]
    told = []
    for shard in sorted((tmp_path / "a").glob("*.safetensors")):
        told += [(picture["name"], shard.name) for picture in content(shard)[0]["pictures"]]
        if shards != "3":
            assert shard.stat().st_size <= 3000
    assert [(line["name"], line["shard"]) for line in lines] == told
    parts = [name.split("-")[0] for _, name in told]
    assert len(told) == 7
    assert 3 <= parts.count("train") <= 6
    assert {name.split("-")[0] for name in a} == {"manifest.jsonl", "train", "valid"}
    if shards == "3":
        assert sum(name.startswith("train") for name in a) == 3


def test_existing_output_needs_force(tiny, pictures, tmp_path) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    assert invoke_silent("tokenize", tiny, pictures, "-o", out, "--shards", 3)[0] == 0
    before = sorted(os.listdir(out))
    code, told = invoke_silent("tokenize", tiny, pictures, "-o", out)
    assert (code, "-f replaces" in told) == (1, True)
    assert sorted(os.listdir(out)) == before
    (out / "mine").write_text("mine")
    assert invoke_silent("tokenize", tiny, pictures, "-o", out, "-f")[0] == 0
    assert sorted(os.listdir(out)) == ["manifest.jsonl", "mine", "tokens-000000.safetensors"]
    assert invoke_silent("tokenize", tiny, out, "--decode", "-o", back)[0] == 0
    assert invoke_silent("tokenize", tiny, out, "--decode", "-o", back)[0] == 1
    assert invoke_silent("tokenize", tiny, out, "--decode", "-o", back, "-f")[0] == 0


def test_an_interrupted_run_leaves_whole_shards(tiny, pictures, tmp_path, monkeypatch) -> None:
    done = []

    def interrupted(codec, pixels, quality):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(tokenize(codec, pixels, quality))
        return done[-1]

    monkeypatch.setattr(pipeline, "tokenize", interrupted)
    told = "clear.png: its transparency is left out.\nimgcodec: Interrupted.\n"
    assert invoke_silent("tokenize", tiny, pictures, "-o", tmp_path / "out", "--shards", 4) == (130, told)
    left = sorted(os.listdir(tmp_path / "out"))
    assert left
    assert all(name.endswith(".safetensors") for name in left)
    code, told = invoke_silent("tokenize", tiny, tmp_path / "out", "--decode", "-o", tmp_path / "back")
    assert code == 0
    assert "did not come to its end" in told


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("none", "pictures"), 4, "not installed"),
        (("TINY", "nowhere"), 1, "There is no folder"),
        (("TINY", "pictures/a.png"), 1, "is not a folder"),
        (("TINY", "pictures", "--shards", "0"), 2, "--shards takes"),
        (("TINY", "pictures", "--shards", "x"), 2, "--shards takes"),
        (("TINY", "pictures", "--shards", "100B"), 2, "too many for shards of 100"),
        (("TINY", "pictures", "--split", "a=2"), 2, "add up to 2"),
        (("TINY", "pictures", "--decode", "-q", "3"), 2, "--decode"),
        (("TINY", "pictures", "--decode"), 1, "holds no shards"),
        (("TINY", "pictures", "-q", "nan"), 2, ""),
        (("TINY", "empty"), 1, "holds no files"),
        (("TINY", "texts"), 1, "There is no picture among the 1 files"),
    ],
)
def test_what_is_refused(tiny, pictures, tmp_path, monkeypatch, arguments, exit_code, words) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "text").write_text("text")
    code, told = invoke_silent("tokenize", *(tiny if a == "TINY" else a for a in arguments), "-o", "out")
    assert code == exit_code, told
    assert words in told
    assert "Traceback" not in told
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere not all of these are names of files")
def test_names_of_any_kind(tiny, tmp_path) -> None:
    names = [
        b"new\nline.png",
        b"esc\x1b[31m.png",
        b"latin\xe9.png",
        b"-o.png",
        b"a..b.png",
        b"a\\b:c.png",
        b"d\xe9\n/x.png",
    ]
    os.mkdir(os.fsencode(tmp_path) + b"/in")
    os.mkdir(os.fsencode(tmp_path) + b"/in/d\xe9\n")
    for name in [*names, b"bad\n\xe9\x1b[31m.png"]:
        with open(os.fsencode(tmp_path) + b"/in/" + name, "wb") as file:
            Image.new("RGB", (9, 9)).save(file, "PNG")
            if name.startswith(b"bad"):
                file.truncate(40)
    code, told = invoke_silent("tokenize", tiny, tmp_path / "in", "-o", tmp_path / "tokens")
    assert code == 0
    assert [line.split(": ")[0] for line in told.splitlines()] == ["Skipped bad???[31m.png", str(tmp_path / "tokens")]
    assert invoke_silent("tokenize", tiny, tmp_path / "tokens", "-o", tmp_path / "back", "--decode")[0] == 0
    for name in names:
        changed = name.replace(b"\\", b"_").replace(b":", b"_")
        assert os.path.exists(os.fsencode(tmp_path) + b"/back/" + changed), name


def test_a_shard_may_ask_for_no_more_than_the_limit(tiny, pictures, tmp_path) -> None:
    assert invoke_silent("tokenize", tiny, pictures, "-o", tmp_path / "tokens")[0] == 0
    code, told = invoke_silent(
        "tokenize", tiny, tmp_path / "tokens", "--decode", "-o", tmp_path / "back", "--max-pixels", 100
    )
    assert code == 3
    assert "over the limit of 100 pixels" in told


def test_a_shard_that_is_not_sound_leaves_nothing_behind(tiny, tmp_path) -> None:
    shard = tmp_path / "tokens-000000.safetensors"
    for tokens, exit_code in (
        ({"format": "imgcodec-tokens-1", "model": {"name": "x", "id": "00" * 8}, "pictures": []}, 4),
        ({"format": "imgcodec-tokens-1", "model": 3, "pictures": []}, 3),
    ):
        save_file({"x": np.zeros(1, np.int16)}, shard, {"tokens": json.dumps(tokens)})
        code, told = invoke_silent("tokenize", tiny, shard, "-o", tmp_path / "back", "--decode")
        assert code == exit_code, told
        assert told.startswith("imgcodec: tokens-000000.safetensors ")
        assert told.count("\n") == 1
        assert not (tmp_path / "back").exists()


def pixels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_tokens_of_a_raster_model(raster_model, photo, tmp_path) -> None:
    loaded = load_codec(raster_model)
    wide = tmp_path / "in" / "wide.png"
    wide.parent.mkdir()
    Image.open(photo).resize((300, 40)).save(wide)
    Image.open(photo).save(tmp_path / "in" / "photo.png")
    assert invoke_silent("tokenize", raster_model, tmp_path / "in", "-o", tmp_path / "tokens")[0] == 0
    with safe_open(tmp_path / "tokens" / "tokens-000000.safetensors", framework="numpy") as file:
        pictures = json.loads(file.metadata()["tokens"])["pictures"]
        assert [(p["name"], p["width"], p["profile"]) for p in pictures] == [
            ("photo.png", 70, "raster"),
            ("wide.png", 300, "raster"),
        ]
        assert np.array_equal(file.get_tensor("000000.0"), tokenize(loaded, pixels_of(photo)).stages[0])
        assert file.get_slice("000000.0").get_dtype() == "I32"
        about = json.loads(file.metadata()["tokens"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    about["pictures"][0]["profile"] = "svqvae"  # as shards said before the profile named the layout
    save_file(tensors, tmp_path / "tokens" / "tokens-000000.safetensors", {"tokens": json.dumps(about)})
    assert invoke_silent("tokenize", raster_model, tmp_path / "tokens", "-o", tmp_path / "back", "--decode")[0] == 0
    assert np.array_equal(
        pixels_of(tmp_path / "back" / "wide.png"), detokenize(loaded, tokenize(loaded, pixels_of(wide)))
    )
    code, told = invoke_silent("tokenize", raster_model, tmp_path / "in", "-o", tmp_path / "no", "-q", 50)
    assert code == 2
    assert "one rate" in told
