"""kill -9 at random moments, full disks, and two commands with one output: what is there is whole."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_recipe import SMALL_RECIPE

from imgcodec.bitstream import container

SCRIPT = Path(sys.executable).with_name("imgcodec")
GOLDEN = Path(__file__).parents[1] / "golden"
RECIPE = Path(__file__).parents[2] / "recipes" / "photo.toml"
SMALL = [
    *SMALL_RECIPE,
    *(f"phases.{i}.steps=100" for i in range(5)),
    *(f"phases.{i}.save_every_minutes=0" for i in range(5)),
    "phases.3.steps=10",  # of the visual synthesis, whose steps take longest
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture, and a .nic file of another one."""
    Image.open(GOLDEN / "random-tokens.png").save(tmp_path / "picture.png")
    (tmp_path / "other.nic").write_bytes((GOLDEN / "odd-size.nic").read_bytes())
    return tmp_path


def kill_at(command: list[str | Path], seconds: float, folder: Path) -> None:
    """Starts a command and kills it after some seconds, unless it is done before."""
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()


def takes(command: list[str | Path], folder: Path) -> float:
    """Seconds from start to end; the command must succeed."""
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.monotonic() - began


def commands(tiny: str) -> dict[str, list[str | Path]]:
    return {
        "out.nic": [SCRIPT, "compress", "picture.png", "-o", "out.nic", "-f", "-q", "100", "--model", tiny],
        "out.png": [SCRIPT, "decompress", "other.nic", "-o", "out.png", "-f", "--model", tiny],
    }


def kill_often(command: list[str | Path], output: Path, times: int) -> None:
    """The old output stays until the new one is there; and both are as good as those of commands left alone."""
    folder = output.parent
    seconds = takes(command, folder)
    new = output.read_bytes()
    moments = random.Random(len(command))
    for index in range(times):
        old = b"old" if index % 2 else None
        output.unlink()
        if old:
            output.write_bytes(old)
        # Half of the moments are near the end, where the writing is.
        share = moments.uniform(0, 1.1) if index % 4 < 2 else moments.uniform(0.8, 1.1)
        kill_at(command, share * seconds, folder)
        left = output.read_bytes() if output.exists() else None
        assert left in (old, new)
        output.touch()  # so that there is one to be removed
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    assert output.read_bytes() == new
    assert sorted(os.listdir(folder)) == sorted(["other.nic", "picture.png", output.name])


def test_killed_commands(folder, tiny) -> None:
    kill_often(commands(tiny)["out.nic"], folder / "out.nic", 2)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["out.nic", "out.png"])
def test_killed_commands_often(folder, tiny, output) -> None:
    kill_often(commands(tiny)[output], folder / output, 40)


@pytest.mark.slow
def test_killed_training_resumes(tmp_path) -> None:
    """Whenever it is killed: every file is whole, and the run comes to its end."""
    pictures, run = tmp_path / "pictures", tmp_path / "run"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for index in range(10):
        coarse = Image.fromarray(rng.integers(0, 256, (16, 17, 3), dtype=np.uint8))
        coarse.resize((272, 256), Image.Resampling.BICUBIC).save(pictures / f"{index}.png")
    changes = [argument for setting in SMALL for argument in ("--set", setting)]
    command = [SCRIPT, "train", RECIPE, "--data", pictures, "-o", run, *changes]
    moments = random.Random(1)
    for _ in range(8):
        kill_at([*command, "--resume"], moments.uniform(2, 25), tmp_path)
        for path in run.glob("*.safetensors") if run.exists() else []:
            from safetensors import safe_open

            with safe_open(path, framework="pt") as file:
                assert list(file.keys())
    subprocess.run([*command, "--resume"], cwd=tmp_path, check=True, capture_output=True)
    assert (run / "photo.safetensors").exists()
    assert not [path for path in run.iterdir() if path.suffix not in ("", ".safetensors", ".json")]
    Image.open(pictures / "0.png").save(tmp_path / "a.png")
    subprocess.run([SCRIPT, "compress", "a.png", "--model", run / "photo.safetensors"], cwd=tmp_path, check=True)


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


def test_training_into_a_folder_that_cannot_be(run, folder) -> None:
    (folder / "file").write_bytes(b"")
    done = run("train", RECIPE, "--data", ".", "-o", "file/run")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("imgcodec: file/run cannot be written to: ")
    assert done.stderr.count(b"\n") == 1
