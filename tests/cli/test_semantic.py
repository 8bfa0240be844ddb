"""`imgcodec compress` of folders, `search`, `eval`, and drawing: command lines and their one-sentence refusals."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_semantic import pictures, save, save_small_model


@pytest.fixture
def model(semantic_path) -> str:
    return str(semantic_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "pictures", pictures(6))


def text(done) -> tuple[int, str, str]:
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_whole_way_from_pictures_to_a_store_to_pictures(run, folder, model):
    (folder / "broken.png").write_bytes(b"no picture")
    code, out, err = text(run("compress", folder, "-o", "store", "--model", model))
    assert (code, out) == (1, "")
    assert "Skipped broken.png:" in err
    assert "store: 6 pictures, 6 of them new" in err
    manifest = json.loads(Path("store/manifest.json").read_text())
    assert [entry["name"] for entry in manifest["pictures"]] == [f"{i:02d}.png" for i in range(6)]
    assert all(entry["bytes"] < 120 and len(entry["features"]) == 64 for entry in manifest["pictures"])
    (folder / "broken.png").unlink()
    code, _, err = text(run("compress", folder, "-o", "store", "--model", model))
    assert code == 0
    assert "0 of them new" in err

    code, out, err = text(run("search", "store", folder / "03.png", "-k", "2", "--model", model))
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 2
    assert out.splitlines()[0].endswith("  03.png")
    code, out, _ = text(run("search", "store", "store/04.nic", "--json", "--model", model))
    found = json.loads(out)
    assert (code, len(found), found[0]["name"]) == (0, 5, "04.png")
    assert found[0]["cosine"] == pytest.approx(1)

    options = ["--model", model, "--steps", "2", "--seed", "3"]
    code, _, err = text(run("decompress", "store/00.nic", "-o", "a.png", *options))
    assert (code, err) == (0, "store/00.nic: it keeps what the picture shows, not its pixels.\n")
    assert Image.open("a.png").size == (48, 48)
    run("decompress", "store/00.nic", "-o", "b.png", *options)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    run("decompress", "store/00.nic", "-o", "c.png", *options, "--guidance", "3", "--eta", "1", "--size", "128")
    assert Image.open("c.png").size == (128, 128)

    code, out, err = text(run("info", "store/00.nic"))
    assert (code, err) == (0, "")
    assert "it keeps what the picture shows, not its pixels" in out
    code, out, err = text(run("eval", folder, "--model", model, "--store", "store", "--json", "-"))
    assert code == 0
    report = json.loads(out)
    assert [picture["bytes"] for picture in report["pictures"]] == [e["bytes"] for e in manifest["pictures"]]
    assert report["mean"].keys() == {"bytes", "bpp", "psnr", "ssimulacra2"}
    assert report["retrieval"].keys() == {"crop", "flip", "brightness", "jpeg", "gray", "all"}
    assert report["retrieval"]["all"].keys() == {"recall@1", "recall@5", "float recall@1", "float recall@5"}


def test_photo_files_with_features_are_searched(run, folder, model, tiny):
    options = ["--with-features", "--features-model", model, "--model", tiny, "-q", "10"]
    assert run("compress", folder, "-o", "store", *options).returncode == 0
    Path("store/manifest.json").unlink()
    run("compress", folder / "00.png", "-o", "store/plain.nic", "--model", tiny)
    Path("store/damaged.nic").write_bytes(Path("store/00.nic").read_bytes()[:-9])
    code, out, err = text(run("search", "store", folder / "02.png", "-k", "1", "--model", model))
    assert (code, out.split()[1]) == (0, "02.nic")
    assert "Skipped plain.nic: The file has no features" in err
    assert "Skipped damaged.nic: " in err
    assert run("decompress", "store/02.nic", "--model", tiny).returncode == 0
    assert Image.open("store/02.png").size == (48, 48)


def test_a_store_of_another_model_is_refused_in_one_sentence(run, folder, model, tmp_path):
    other = save_small_model(tmp_path / "other.safetensors", seed=1)
    assert run("compress", folder, "-o", "store", "--model", model).returncode == 0
    code, out, err = text(run("compress", folder, "-o", "store", "--model", other))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "is a store of model small" in err
    code, out, err = text(run("search", "store", folder / "00.png", "--model", other))
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert "is a store of features of model" in err
    code, out, err = text(run("search", "store", folder / "00.png"))
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert "not installed" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--steps", "0"], 2, "1 step or more"),
        (["--steps", "101"], 2, "at most 100 steps"),
        (["--size", "100"], 2, "multiple of 64"),
        (["--guidance", "-1"], 2, "guidance"),
        (["--eta", "2"], 2, "eta"),
        (["--seed", "-1"], 2, "seed"),
        (["--scale", "2"], 2, "scale 1"),
        (["--size", "64", "--allow-damaged"], 2, "its own size"),
    ],
)
def test_drawing_refuses_in_one_sentence(run, folder, model, arguments, code, words):
    run("compress", folder / "00.png", "-o", "a.nic", "--model", model)
    done, out, err = text(run("decompress", "a.nic", "-o", "a.png", "--model", model, *arguments))
    assert (done, out, err.count("\n")) == (code, "", 1)
    assert words in err
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("decompress photo.nic -o x.png --steps 3 --model TINY", 2, "--steps is for files of the profile semantic"),
        ("compress pictures --model SMALL", 2, "name it with -o"),
        ("compress pictures -o store --model SMALL --json", 2, "manifest"),
        ("compress pictures -o store --model SMALL -q 50", 2, "one rate"),
        ("compress pictures/00.png -o x.nic --model SMALL --with-features", 2, "are features"),
        ("compress pictures/00.png -o x.nic --model TINY --with-features --features-model TINY", 2, "takes a model"),
        ("compress pictures/00.png -o x.nic --model TINY --features open_clip:a/b", 2, "--with-features"),
        ("compress pictures/00.png -o x.nic --model SMALL --features open_clip:a/b", 2, "encoder of its own"),
        ("compress empty -o store --model SMALL", 1, "holds no files"),
        ("search pictures", 2, "either a picture or --text"),
        ("search pictures x.png --text boat", 2, "either a picture or --text"),
        ("search nowhere x.png", 2, "not a folder"),
        ("search pictures pictures/00.png", 1, "no file with features"),
        ("search store pictures/00.png --model TINY", 2, "takes a model of the profile semantic"),
        ("search store nothing.png --model SMALL", 1, "no file nothing.png"),
        ("search store --text boat --model SMALL", 2, "know no words"),
        ("eval nowhere", 1, "There is no nowhere"),
        ("eval pictures --metrics beauty", 2, "no metric 'beauty'"),
        ("eval pictures --store empty --model SMALL", 3, "is no store"),
        ("eval pictures --features open_clip:a/b --model TINY", 2, "has no features"),
        ("eval empty --model SMALL", 3, "no picture that can be read"),
    ],
)
def test_each_mistake_gets_one_sentence(run, folder, model, tiny, command, code, words):
    shutil.copy(Path(tiny).with_name("odd-size.nic"), "photo.nic")
    Path("empty").mkdir()
    if command.startswith(("search store", "eval")):
        run("compress", folder, "-o", "store", "--model", model)
    words_of_it = [{"TINY": tiny, "SMALL": model}.get(word, word) for word in command.split()]
    done, out, err = text(run(*words_of_it))
    assert (done, out, err.count("\n")) == (code, "", 1), err
    assert words in err


def test_eval_of_one_photo_picture_prints_a_table_and_says_what_is_left_out(run, folder, tiny, monkeypatch):
    monkeypatch.setattr("imgcodec.evaluation.similarity.find_spec", lambda name: None)
    done, out, err = text(run("eval", folder / "00.png", "--model", tiny, "--metrics", "psnr,ssim,lpips", "-q", "30"))
    assert done == 0
    assert [line.split()[0] for line in out.splitlines()] == ["picture", "00.png", "mean"]
    assert max(map(len, out.splitlines())) <= 80
    assert "ssim is left out: SSIM needs scikit-image" in err
    assert "lpips is left out: LPIPS needs the package lpips" in err


def test_eval_skips_what_is_no_picture_and_compares_with_what_was_coded(run, folder, tiny):
    (folder / "x.txt").write_text("text")
    done, out, err = text(run("eval", folder, "--model", tiny, "--json", "report.json", "--metrics", "psnr"))
    assert done == 0
    assert "Skipped x.txt" in err
    report = json.loads(Path("report.json").read_text())
    assert len(report["pictures"]) == 6
    assert report["mean"]["psnr"] == pytest.approx(np.mean([p["figures"]["psnr"] for p in report["pictures"]]))
    assert not report["retrieval"]
    assert "mean" in out
    assert run("eval", folder, "--model", tiny, "--json", "report.json").returncode == 1
