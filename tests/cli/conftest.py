"""Command lines, in an empty folder: most of them in this process, and real ones where a process makes a difference."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import call

SCRIPT = Path(sys.executable).with_name("imgcodec")
GOLDEN = Path(__file__).parents[1] / "golden"

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `imgcodec ARGUMENTS` in an empty folder, with `input` on stdin; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture
def script(tmp_path: Path) -> Run:
    """As `run`, by the installed `imgcodec` script, started as a user's shell starts it."""

    def call(*arguments: str | Path, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([SCRIPT, *arguments], input=input, capture_output=True, cwd=tmp_path, check=False)

    return call


@pytest.fixture(scope="session")
def tiny() -> str:
    """The path of a small model."""
    return str(GOLDEN / "tiny.safetensors")


@pytest.fixture(scope="session")
def nic() -> bytes:
    """A .nic file of the tiny model, 100 x 75."""
    return (GOLDEN / "odd-size.nic").read_bytes()
