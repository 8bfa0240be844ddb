"""Two tunes of one model: other steps, rows of the prior and synthesis, and a header that says which."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_pictures import PHOTOGRAPH
from numpy.typing import NDArray
from PIL import Image
from two_tunes import save_two_tunes

import imgcodec
from imgcodec import Model
from imgcodec.bitstream import container
from imgcodec.bitstream.header import Tune
from imgcodec.codec import load_codec, tokenize
from imgcodec.metrics.reference import psnr


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("models") / "both.safetensors"
    save_two_tunes(file)
    return file


@pytest.fixture(scope="module")
def both(path: Path) -> Model:
    return imgcodec.load_model(path)


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[200:330, 100:250]


def test_tunes_differ_in_tokens_and_pixels(both: Model, path: Path, pixels: NDArray[np.uint8]) -> None:
    assert both.tunes == ["psnr", "visual"]
    psnr, visual = (both.compress(pixels, quality=60, tune=tune) for tune in both.tunes)
    assert container.read(visual).header.tune == Tune.VISUAL
    for data, tune in ((psnr, "psnr"), (visual, "visual")):
        assert both.read_tokens(data).sha256() == tokenize(load_codec(path), pixels, 60, tune).sha256()
    assert both.read_tokens(psnr).stages[1].tolist() != both.read_tokens(visual).stages[1].tolist()
    seen = np.asarray(both.decompress(psnr), np.int16) - np.asarray(both.decompress(visual))
    assert np.abs(seen).max() > 1
    assert both.compress(pixels, quality=60) == visual


def test_targets_are_met_in_the_tune(both: Model, pixels: NDArray[np.uint8]) -> None:
    def fidelity(data: bytes) -> float:
        return psnr(pixels, np.asarray(both.decompress(data)))

    low, high = (fidelity(both.compress(pixels, quality=quality, tune="visual")) for quality in (30, 70))
    wanted = (low + high) / 2
    found = both.compress(pixels, target_psnr=wanted, tune="visual")
    assert imgcodec.info(found).tune == "visual"
    assert fidelity(found) == pytest.approx(wanted, abs=0.1)
    assert imgcodec.info(both.compress(pixels, target_psnr=wanted)).tune == "psnr"


def test_a_model_of_one_tune_refuses_the_other(tiny_model: Model, pixels: NDArray[np.uint8]) -> None:
    assert tiny_model.tunes == ["psnr"]
    with pytest.raises(imgcodec.UsageError, match="only psnr"):
        tiny_model.compress(pixels, tune="visual")
    file = container.read(tiny_model.compress(pixels))
    hostile = container.write(replace(file.header, tune=Tune.VISUAL), file.sections)
    with pytest.raises(imgcodec.InvalidFileError, match="no such files"):
        tiny_model.decompress(hostile)


def test_on_the_command_line(run, path: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    Image.open(PHOTOGRAPH).crop((0, 0, 100, 80)).save(tmp_path / "a.png")
    assert run("compress", "a.png", "--model", path, "--tune", "visual").returncode == 0
    assert [b"tune", b"visual"] in [line.split() for line in run("info", "a.nic").stdout.splitlines()]
    assert run("decompress", "a.nic", "-o", "b.png", "--model", path).returncode == 0
    refused = run("compress", "a.png", "-f", "--model", path, "--tune", "loud")
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1
