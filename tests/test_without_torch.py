"""The main job is done where there is no torch: by commands, and in Python. What needs it says so in a sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from imgcodec.cli.options import DEBUG

ROOT = Path(__file__).parents[1]
TINY, SNAC = (ROOT / "tests" / "golden" / f"{name}.safetensors" for name in ("tiny", "snac"))

WITHOUT = """
import sys
sys.modules["torch"] = None  # which makes imports of it fail, as if it were not installed
"""
COMMAND = f"{WITHOUT}from imgcodec.__main__ import main\nmain()\n"


def command(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    Image.linear_gradient("L").resize((90, 60)).convert("RGB").save(tmp_path / "a.png")
    return tmp_path


def test_commands_of_the_main_job(folder: Path) -> None:
    for arguments in (
        ("compress", "a.png", "--model", TINY, "--verify"),
        ("compress", "a.png", "--model", TINY, "--target-size", 150, "-o", "b.nic"),
        ("info", "a.nic"),
        ("verify", "a.nic", "b.nic"),
        ("decompress", "a.nic", "--model", TINY, "-o", "back.png"),
        ("decompress", "a.nic", "--model", TINY, "-o", "part.png", "--region", "5,6,40,30"),
        ("decompress", "a.nic", "--model", TINY, "-o", "small.png", "--thumbnail", 8),
        ("models", "list"),
        ("models", "export", TINY, "-o", "tiny.nicm"),
    ):
        done = command(folder, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert (folder / "back.png").stat().st_size > 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", SNAC), "imgcodec: The engine torch is not installed: pip install torch.\n"),
        (("--model", TINY, "--effort", 3), "imgcodec: The engine torch is not installed: pip install torch.\n"),
        (("--model", TINY, "--engine", "torch"), "imgcodec: The engine torch is not installed: pip install torch.\n"),
    ],
)
def test_what_needs_it_says_so(folder: Path, arguments: tuple[object, ...], words: str) -> None:
    done = command(folder, "compress", "a.png", *arguments)
    assert (done.returncode, done.stderr) == (2, words)
    assert not (folder / "a.nic").exists()
    assert DEBUG not in done.stderr


def test_python(folder: Path) -> None:
    program = f"""{WITHOUT}
import imgcodec
import numpy as np
model = imgcodec.load_model({str(TINY)!r})
data = model.compress(np.zeros((20, 30, 3), np.uint8), quality=30, exact=False)
assert model.decompress(data).size == (30, 20)
assert model.write_tokens(model.read_tokens(data)) == data
try:
    model.compress("a.png", effort=2)
except imgcodec.UsageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "This needs the engine torch, which is not installed: pip install torch.\n"
