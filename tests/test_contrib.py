"""What file managers and file(1) are told of .nic files, asked of these programs themselves."""

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import imgcodec

ROOT = Path(__file__).parents[1]
CONTRIB = ROOT / "contrib"
GOLDEN = ROOT / "tests" / "golden"
MIME = "image/x-nic"


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def told(*words: object, **environment: str) -> str:
    environment = {**os.environ, **environment}
    return subprocess.run(words, capture_output=True, check=True, text=True, env=environment).stdout.strip()


@pytest.fixture
def unnamed(tmp_path) -> Path:
    """A .nic file under a name that tells nothing."""
    return Path(shutil.copy(GOLDEN / "odd-size.nic", tmp_path / "picture"))


@needs("file")
def test_file_knows_what_it_is(unnamed, tmp_path):
    rule = CONTRIB / "imgcodec.magic"
    assert told("file", "-b", "-m", rule, unnamed) == f"imgcodec image data, version {unnamed.read_bytes()[8]}"
    assert told("file", "-b", "--mime-type", "-m", rule, unnamed) == MIME
    (tmp_path / "other").write_bytes(b"\x8fNIC\n\x1a\n")
    assert told("file", "-b", "--mime-type", "-m", rule, tmp_path / "other") != MIME


@pytest.fixture
def installed(tmp_path) -> dict[str, str]:
    """An environment of a user who has installed the type."""
    packages = tmp_path / "share" / "mime" / "packages"
    packages.mkdir(parents=True)
    shutil.copy(CONTRIB / "imgcodec.xml", packages)
    said = subprocess.run(["update-mime-database", packages.parent], capture_output=True, check=True, text=True)
    assert "rror" not in said.stderr
    return {"XDG_DATA_HOME": str(tmp_path / "share"), "HOME": str(tmp_path)}


@needs("update-mime-database", "xdg-mime", "mimetype")
def test_xdg_mime_knows_what_it_is(unnamed, installed, tmp_path):
    shutil.copy(ROOT / "examples" / "photo.png", tmp_path / "photo.png")
    named = tmp_path / "photo.nic"
    named.touch()
    assert told("xdg-mime", "query", "filetype", unnamed, **installed) == MIME
    assert told("mimetype", "-b", named, **installed) == MIME
    assert told("xdg-mime", "query", "filetype", tmp_path / "photo.png", **installed) == "image/png"


@needs("sh")
def test_the_thumbnailer_makes_thumbnails(tmp_path):
    """As file managers run it: the line is split into words, which are expanded, and the output is there already."""
    entry = configparser.RawConfigParser()
    entry.read(CONTRIB / "imgcodec.thumbnailer")
    section = entry["Thumbnailer Entry"]
    source, target = tmp_path / "it's a photo.nic", tmp_path / ".thumbnail.XYZ"
    source.write_bytes(imgcodec.compress(Image.effect_mandelbrot((300, 200), (-2, -1.5, 1, 1.5), 50)))
    target.touch()
    places = {"%i": str(source), "%o": str(target), "%s": "32"}
    scripts = str(Path(sys.executable).parent)
    assert shutil.which(section["TryExec"], path=scripts)
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    assert told(*(places.get(word, word) for word in shlex.split(section["Exec"])), PATH=path) == ""
    with Image.open(target) as made:
        assert (made.format, made.size) == ("PNG", (32, 21))
    assert section["MimeType"] == f"{MIME};"
