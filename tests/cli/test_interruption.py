"""kill -9 at many moments, full disks, and two commands with one output: what is there is whole."""

import os
import random
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from in_process import call
from killed import killed_at
from PIL import Image
from safetensors import safe_open
from small_recipe import SMALL_RECIPE

import imgcodec
from imgcodec.bitstream import container
from imgcodec.storage import files
from imgcodec.training import loop

SCRIPT = Path(sys.executable).with_name("imgcodec")
GOLDEN = Path(__file__).parents[1] / "golden"
RECIPE = Path(__file__).parents[2] / "recipes" / "photo.toml"
SMALL = [
    *SMALL_RECIPE,
    *(f"phases.{i}.steps=100" for i in range(7)),
    *(f"phases.{i}.save_every_minutes=0" for i in range(7)),
    "phases.3.steps=10",  # of the visual synthesis, whose steps take longest
    "phases.6.steps=10",  # of its filter
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture, and a .nic file of another one."""
    Image.open(GOLDEN / "random-tokens.png").save(tmp_path / "picture.png")
    (tmp_path / "other.nic").write_bytes((GOLDEN / "odd-size.nic").read_bytes())
    return tmp_path


def commands(tiny: str) -> dict[str, list[str]]:
    return {
        "out.nic": ["compress", "picture.png", "-o", "out.nic", "-f", "-q", "100", "--model", tiny],
        "out.png": ["decompress", "other.nic", "-o", "out.png", "-f", "--model", tiny],
    }


@pytest.mark.parametrize("name", ["out.nic", "out.png"])
@pytest.mark.parametrize("stride", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_commands_killed_while_they_write_leave_the_old_file_or_the_new_one(run, folder, tiny, name, stride) -> None:
    command, output = commands(tiny)[name], folder / name
    assert run(*command).returncode == 0
    new = output.read_bytes()
    for line in count(1, stride):
        old = b"old" if line % 4 == 1 else None
        output.unlink()
        if old:
            output.write_bytes(old)
        died = killed_at(files, line, call, *command)
        left = output.read_bytes() if output.exists() else None
        assert left in (old, new)
        if not died:
            break
        output.touch()  # so that there is one to be removed
    assert left == new
    assert line > 30
    assert sorted(os.listdir(folder)) == sorted(["other.nic", "picture.png", name])


@pytest.mark.slow
def test_killed_training_resumes(tmp_path) -> None:
    """Wherever it is killed: every file is whole, and the run comes to its end."""
    pictures, output = tmp_path / "pictures", tmp_path / "run"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for index in range(10):
        coarse = Image.fromarray(rng.integers(0, 256, (16, 17, 3), dtype=np.uint8))
        coarse.resize((272, 256), Image.Resampling.BICUBIC).save(pictures / f"{index}.png")
    changes = [argument for setting in SMALL for argument in ("--set", setting)]
    command = ["train", RECIPE, "--data", pictures, "-o", output, *changes, "--resume"]
    moments = random.Random(1)
    for module, lines in [(loop, 5000), (files, 100)] * 4:
        assert killed_at(module, moments.randint(1, lines), call, *command)
        for path in output.glob("*.safetensors"):
            with safe_open(path, framework="pt") as file:
                assert list(file.keys())
    assert call(*command).returncode == 0
    assert (output / "photo.safetensors").exists()
    assert not [path for path in output.iterdir() if path.suffix not in ("", ".safetensors", ".json")]
    picture = np.asarray(Image.open(pictures / "0.png"))
    assert imgcodec.load_model(str(output / "photo.safetensors")).compress(picture)


def test_two_commands_with_one_output(folder, tiny) -> None:
    """Without -f one of them wins, and the other one says that the file exists."""
    command = [SCRIPT, "compress", "picture.png", "-o", "one.nic", "--model", tiny, "-q"]
    processes = [
        subprocess.Popen([*command, quality], cwd=folder, stderr=subprocess.PIPE, text=True) for quality in ("20", "90")
    ]
    messages = [process.communicate()[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1]
    (loser,) = (index for index, process in enumerate(processes) if process.returncode)
    assert messages[loser] == "imgcodec: one.nic exists already; -f replaces it.\n"
    quality = container.read((folder / "one.nic").read_bytes()).header.quality
    assert quality == 256 * (90, 20)[loser]
    assert sorted(os.listdir(folder)) == ["one.nic", "other.nic", "picture.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "other.nic"], "imgcodec: No space left on device.\n"),
        (["verify", "other.nic"], "imgcodec: No space left on device.\n"),
        (
            ["decompress", "other.nic", "-o", "-", "--model"],
            "imgcodec: - cannot be written: no space left on device.\n",
        ),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is of Linux")
def test_standard_output_on_a_full_disk(folder, tiny, arguments, words) -> None:
    model = [tiny] if arguments[-1] == "--model" else []
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [SCRIPT, *arguments, *model], cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, words)


INTERRUPTS = """
import os, signal, sys

wanted = sys.argv[1]

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from imgcodec.__main__ import main
sys.argv = ["imgcodec", *sys.argv[2:]]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent there to oneself alone")
@pytest.mark.parametrize(
    "module",
    [
        *("imgcodec.cli", "typer", "imgcodec.cli.compress", "numpy", "PIL.Image"),
        *("onnxruntime", "torch", "torch.nn", "safetensors"),
    ],
)
def test_interrupt_while_a_module_is_imported(tmp_path: Path, module: str) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    line = [sys.executable, "-c", INTERRUPTS, module, "compress", "a.png"]
    line += ["--engine", "torch"] if module.startswith("torch") else []
    ignored = signal.getsignal(signal.SIGINT)
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, check=False)
    assert signal.getsignal(signal.SIGINT) == ignored
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"imgcodec: Interrupted.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


TWICE = """
import os, signal, sys
import imgcodec.cli

def interrupt(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)

def tell_and_interrupt(message):
    os.write(2, f"imgcodec: {message}\\n".encode())
    interrupt()

imgcodec.cli.make_app = lambda words: interrupt
imgcodec.cli.complain = tell_and_interrupt
from imgcodec.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent there to oneself alone")
def test_a_second_interrupt_is_not_told() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"imgcodec: Interrupted.\n")
