"""Command lines, in an empty folder: most of them in this process, and real ones where a process makes a difference."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from in_process import call
from PIL import Image
from raster_models import small_model

from imgcodec.bitstream import container
from imgcodec.model_file.model import save_model

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


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A JPEG of 70 x 50 pixels."""
    y, x = np.mgrid[:50, :70]
    path = tmp_path / "photo.jpeg"
    Image.fromarray(np.stack([x * 3, y * 4, x + y], axis=2).astype(np.uint8)).save(path, quality=95)
    return path


@pytest.fixture
def two_tiles(tmp_path: Path) -> Path:
    """A file of 2 tiles and 2 stages, one bit of its section of stage 1, tile 0 flipped; and the same, cut."""
    data = bytearray((GOLDEN / "two-tiles.nic").read_bytes())
    entry = container.read(data).entries[2]
    (tmp_path / "cut.nic").write_bytes(data[: entry.offset + 20])
    data[entry.offset + 20] ^= 4
    path = tmp_path / "damaged.nic"
    path.write_bytes(data)
    return path


@pytest.fixture(scope="session")
def raster_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raster model of scales 1 and 2, with random weights."""
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(path, *small_model("vq", "raster"))
    return path
