"""Pictures to train on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten smooth pictures of 256 x 272."""
    path = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for index in range(10):
        coarse = Image.fromarray(rng.integers(0, 256, (16, 17, 3), dtype=np.uint8))
        coarse.resize((272, 256), Image.Resampling.BICUBIC).save(path / f"{index}.png")
    return path


@pytest.fixture(scope="session")
def few(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of them, to validate on."""
    path = tmp_path_factory.mktemp("few")
    for name in ("0.png", "1.png"):
        shutil.copy(folder / name, path)
    return path
