"""Real command lines: the installed `imgcodec` script, started as a user's shell starts it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("imgcodec")
GOLDEN = Path(__file__).parents[1] / "golden"

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `imgcodec ARGUMENTS` in an empty folder, with `input` on stdin; gives exit code, stdout and stderr."""

    def call(*arguments: str | Path, input: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [SCRIPT, *arguments],
            input=input,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, **environment},
            timeout=120,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def tiny() -> str:
    """The path of a small model."""
    return str(GOLDEN / "tiny.safetensors")


@pytest.fixture(scope="session")
def nic() -> bytes:
    """A .nic file of the tiny model, 100 x 75."""
    return (GOLDEN / "odd-size.nic").read_bytes()
