"""Folders of pictures to stores of .nic files, and all that can be done with one."""

import json
from pathlib import Path

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
