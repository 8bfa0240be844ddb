"""The first contact: help, quickly, and without torch."""

import os
import resource
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import imgcodec
from imgcodec.cli import app

COMMANDS = ["compress", "decompress", "info", "verify", "bench", "train", "tokenize", "generate", "data", "models"]
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
        result = CliRunner().invoke(app, [*command.split(), flag], prog_name="imgcodec")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"Usage: imgcodec {command} ")


def test_version(run) -> None:
    assert run("--version").stdout.decode() == f"imgcodec {imgcodec.__version__}\n"


def test_help_costs_little(run) -> None:
    """Under 0.4 s of CPU time, which another load on the machine changes less than the clock."""

    def seconds() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    times = []
    for _ in range(3):
        before = seconds()
        run("--help")
        times.append(seconds() - before)
    assert min(times) < 0.4


def test_help_imports_nothing_heavy() -> None:
    code = """if True:
        import sys
        from imgcodec.cli import app
        try:
            app(["--help"])
        except SystemExit:
            pass
        print(sorted({"torch", "scipy", "PIL", "rich", "matplotlib", "tensorboard"} & set(sys.modules)))"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ, check=True)
    assert result.stdout.splitlines()[-1] == b"[]"
