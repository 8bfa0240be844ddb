"""`imgcodec search`, and what all commands of the profile semantic refuse in one sentence."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from small_semantic import pictures, save

from imgcodec.bitstream import container
from imgcodec.bitstream.sections import SectionType


@pytest.fixture
def model(semantic_path) -> str:
    return str(semantic_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "pictures", pictures(6))


def text(done) -> tuple[int, str, str]:
    return done.returncode, done.stdout.decode(), done.stderr.decode()


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
    assert Image.open("store/02.nic.png").size == (48, 48)


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


def test_features_too_short_to_name_their_model_are_skipped(run, folder, model, tiny):
    options = ["--with-features", "--features-model", model, "--model", tiny, "-q", "10"]
    Path("odd").mkdir()
    run("compress", folder / "00.png", "-o", "odd/a.nic", *options)
    file = container.read(Path("odd/a.nic").read_bytes())
    cut = [replace(s, data=s.data[:3]) if s.type == SectionType.FEATURES else s for s in file.sections]
    Path("odd/a.nic").write_bytes(container.write(file.header, cut))
    code, _, err = text(run("search", "odd", folder / "00.png"))
    assert (code, err) == (1, "imgcodec: odd holds no file with features; compress --with-features makes such ones.\n")
    code, _, err = text(run("search", "odd", folder / "00.png", "--model", model))
    assert code == 3
    assert "Skipped a.nic: The features section does not have the size of one." in err


def test_a_vector_of_another_model_is_not_drawn(run, folder, model, tiny):
    run("compress", folder / "00.png", "-o", "a.nic", "--model", model)
    for other in (tiny, "semantic"):
        code, out, err = text(run("decompress", "a.nic", "-o", "a.png", "--model", other))
        assert (code, out, err.count("\n")) == (4, "", 1)
        assert "The file was made with model" in err
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
        ("search nowhere x.png", 1, "There is no folder nowhere."),
        ("search photo.nic x.png", 1, "photo.nic is not a folder."),
        ("search pictures pictures/00.png", 1, "no file with features"),
        ("search store pictures/00.png --model TINY", 2, "takes a model of the profile semantic"),
        ("search store pictures/00.png", 4, "The features in store were made with model"),
        ("search store pictures/00.png --model semantic", 4, "is a store of features of model"),
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
