"""The first contact: help, quickly, and without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import invoke

import imgcodec

COMMANDS = [
    "compress", "decompress", "info", "verify", "bench", "train", "tokenize", "generate", "search", "eval", "doctor",
    "data", "models",
]  # fmt: skip
HEAVY = {"torch", "scipy", "PIL", "rich", "matplotlib", "tensorboard"}
SCRIPT = Path(sys.executable).with_name("imgcodec")
SUBCOMMANDS = ["data picsum", "data pack", "models list", "models show", "models verify"]


def test_help_names_every_command(run) -> None:
    for flag in ("--help", "-h"):
        result = run(flag)
        assert result.returncode == 0
        for command in COMMANDS:
            assert f"\n  {command} " in result.stdout.decode()


@pytest.mark.parametrize("command", [*COMMANDS, *SUBCOMMANDS])
def test_each_command_has_help(command) -> None:
    for flag in ("--help", "-h"):
        code, told, complained = invoke(*command.split(), flag)
        assert (code, complained) == (0, "")
        assert told.startswith(f"Usage: imgcodec {command} ")


def test_version(run) -> None:
    for flag in ("--version", "-V"):
        assert run(flag).stdout.decode() == f"imgcodec {imgcodec.__version__}\n"


@pytest.mark.parametrize(
    ("words", "completed"), [("imgcodec compr", "compress"), ("imgcodec verify --deco", "--decode")]
)
def test_a_shell_completes_commands_and_options(words, completed) -> None:
    environment = {"_IMGCODEC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run([SCRIPT], capture_output=True, env={**os.environ, **environment}, check=False, text=True)
    assert done.stdout.split() == [completed]
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["--help", "--version", "compress --help", "info a.nic", "verify a.nic"])
def test_light_commands_import_nothing_heavy(tmp_path, nic, command) -> None:
    """What that saves is in benchmarks/speed.py."""
    (tmp_path / "a.nic").write_bytes(nic)
    line = [sys.executable, "-X", "importtime", SCRIPT, *command.split()]
    told = subprocess.run(line, cwd=tmp_path, capture_output=True, check=True, text=True).stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines()}
    assert "typer" in imported
    assert HEAVY & imported == set()


def test_commands_that_do_not_train_end_at_once(tmp_path):
    """Not with `sys.exit`, after which torch takes its time; of training they know no more than its recipes."""
    code = "import sys, imgcodec.cli, torch; print('end'); sys.stdout.flush(); imgcodec.cli.end(3)"
    seen = "import atexit; atexit.register(print, 'slowly'); " + code
    done = subprocess.run([sys.executable, "-c", seen], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "end\n")
