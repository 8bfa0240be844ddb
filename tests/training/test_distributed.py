"""Two processes with half of the crops each are one process with all of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_raster_recipe import SMALL_SNAC

import imgcodec
from imgcodec import UsageError
from imgcodec.training import distributed

HERE = Path(__file__).parent
RECIPE = HERE.parents[1] / "recipes" / "snac.toml"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}


def run_two(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, str(port), *arguments], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )


@pytest.mark.slow
def test_two_processes_give_the_weights_of_one(tmp_path: Path) -> None:
    script = str(HERE / "two_processes.py")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    done = run_two(29611, script, str(tmp_path / "two"), "4", "0")
    assert done.returncode == 0, done.stderr
    alone = [sys.executable, script, str(tmp_path / "one"), "4", "0"]
    subprocess.run(alone, check=True, capture_output=True, env=ENVIRONMENT)
    first, second = (load_file(tmp_path / "two" / f"rank{i}.safetensors") for i in range(2))
    expected = load_file(tmp_path / "one" / "rank0.safetensors")
    assert sorted(p.name for p in (tmp_path / "two" / "log").iterdir()) == ["prior", "tokenizer"]
    for name, tensor in expected.items():
        assert torch.equal(first[name], second[name]), name
        # Adam makes steps of 1e-3 of all gradients, also of those that are rounding errors of the others
        torch.testing.assert_close(first[name], tensor, rtol=1e-3, atol=3e-4, msg=name)
    assert expected["tokenizer.quantizers.0.used"].sum() == 4 * 4  # a token of each crop at each step


@pytest.mark.slow
def test_dead_codes_come_back_at_the_same_places_everywhere(tmp_path: Path) -> None:
    done = run_two(29612, str(HERE / "two_processes.py"), str(tmp_path), "2", "1")
    assert done.returncode == 0, done.stderr
    first, second = (load_file(tmp_path / f"rank{i}.safetensors") for i in range(2))
    for name, tensor in first.items():
        assert torch.equal(second[name], tensor), name


@pytest.mark.slow
def test_the_command_under_torchrun_stops_and_resumes(folder: Path, tmp_path: Path) -> None:
    settings = [a for s in [*SMALL_SNAC, "phases.0.steps=40"] for a in ("--set", s)]
    command = ["-m", "imgcodec", "train", str(RECIPE), "--data", str(folder), "-o", str(tmp_path), *settings]
    process = subprocess.Popen([*TORCHRUN, "29613", *command], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("tokenizer 3  validation"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert (tmp_path / "tokenizer.safetensors").exists()
    assert not (tmp_path / "tokenizer-weights.safetensors").exists()
    time.sleep(1)  # for the port
    done = run_two(29614, *command, "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Wrote ") == 1
    assert imgcodec.load_model(str(tmp_path / "snac.safetensors")).name == "snac"


def test_of_several_gpus_each_process_takes_its_own(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.choose_device("auto") == distributed.choose_device("cuda") == torch.device("cuda", 1)
    assert distributed.choose_device("cuda:0") == torch.device("cuda", 0)
    assert distributed.choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match="fewer than processes"):
        distributed.choose_device("cuda")
