"""Two tunes of one model: other steps, rows of the prior and synthesis, and a header that says which."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import imgcodec
from imgcodec.bitstream import Tune, container
from imgcodec.codec import Model
from imgcodec.evaluation.metrics import psnr
from imgcodec.model import load_photo_model, photo_model, save_model
from imgcodec.photo import PhotoCodec
from imgcodec.priors.layers import Rows, export, restore
from imgcodec.priors.transformer import Prior
from imgcodec.rate_control import Kind, Target, compress_to
from imgcodec.tokenizers.rvq import ResidualVQ


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a second tune, a shaken copy of the first."""
    tiny = load_photo_model(str(Path(__file__).parents[1] / "golden" / "tiny.safetensors"))
    torch.manual_seed(1)
    tokenizer = ResidualVQ(replace(tiny.tokenizer.config, visual=True))
    state = tiny.tokenizer.state_dict()
    for name, tensor in list(state.items()):
        if name.startswith("synthesis."):
            state[name.replace("synthesis.", "visual.")] = tensor * (1 + 0.01 * torch.randn(tensor.shape))
    tokenizer.load_state_dict(state | {"visual_shift": torch.linspace(0.3, -0.3, len(tokenizer.visual_shift))})
    prior = Prior(replace(tiny.prior.config, tunes=2))
    restore(prior, tiny.prior)
    for layer in prior.modules():
        if isinstance(layer, Rows):
            layer.rows.data[len(layer.rows) // 2 :].add_(0.2)
    export(prior)
    file = tmp_path_factory.mktemp("models") / "both.safetensors"
    save_model(file, *photo_model(tokenizer, prior, tiny.tables, tiny.lambdas))
    return file


@pytest.fixture(scope="module")
def both(path: Path) -> Model:
    return imgcodec.load_model(str(path))


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.asarray(Image.open("examples/photo.png").convert("RGB"))[200:330, 100:250]


def test_tunes_differ_in_tokens_and_pixels(both: Model, pixels: NDArray[np.uint8]) -> None:
    assert both.tunes == ["psnr", "visual"]
    psnr, visual = (both.compress(pixels, 60, tune) for tune in both.tunes)
    assert container.read(visual).header.tune == Tune.VISUAL
    for data, tune in ((psnr, "psnr"), (visual, "visual")):
        assert both.read_tokens(data).sha256() == both.tokenize(pixels, 60, tune).sha256()
    assert both.read_tokens(psnr).stages[1].tolist() != both.read_tokens(visual).stages[1].tolist()
    seen = np.asarray(both.decompress(psnr), np.int16) - np.asarray(both.decompress(visual))
    assert np.abs(seen).max() > 1
    assert both.compress(pixels, 60) == psnr


def test_targets_are_met_in_the_tune(both: Model, pixels: NDArray[np.uint8]) -> None:
    def fidelity(data: bytes) -> float:
        return psnr(pixels, np.asarray(both.decompress(data)))

    wanted = (fidelity(both.compress(pixels, 30, "visual")) + fidelity(both.compress(pixels, 70, "visual"))) / 2
    found = compress_to(both, imgcodec.image.load(Image.fromarray(pixels)), Target(Kind.PSNR, wanted), "visual")
    assert container.read(found.data).header.tune == Tune.VISUAL
    assert fidelity(found.data) == pytest.approx(wanted, abs=0.1)


def test_a_model_of_one_tune_refuses_the_other(tiny_model: Model, pixels: NDArray[np.uint8]) -> None:
    assert tiny_model.tunes == ["psnr"]
    with pytest.raises(imgcodec.UsageError, match="only psnr"):
        tiny_model.compress(pixels, tune="visual")
    assert isinstance(tiny_model.codec, PhotoCodec)
    file = container.read(tiny_model.compress(pixels))
    hostile = container.write(replace(file.header, tune=Tune.VISUAL), file.sections)
    with pytest.raises(imgcodec.InvalidFileError, match="no such tune"):
        tiny_model.decompress(hostile)


def test_on_the_command_line(run, path: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    Image.open("examples/photo.png").crop((0, 0, 100, 80)).save(tmp_path / "a.png")
    assert run("compress", "a.png", "--model", path, "--tune", "visual").returncode == 0
    assert b"tune          visual" in run("info", "a.nic").stdout
    assert run("decompress", "a.nic", "-o", "b.png", "--model", path).returncode == 0
    refused = run("compress", "a.png", "-f", "--model", path, "--tune", "loud")
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1
