"""Small runs of the real training: data, start, loop, resume, export. Sizes are tiny; the code is all of it."""

import copy
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import invoke_silent
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from small_recipe import SMALL_RECIPE
from torch import Tensor

import imgcodec
from imgcodec import UsageError
from imgcodec.metrics.reference import psnr
from imgcodec.priors.integer.trainable import export, restore
from imgcodec.priors.photo.rate import logistic_bits
from imgcodec.priors.photo.tables import MAX_SCALE
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.model import load_photo_model
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.data import load_photographs, random_crops
from imgcodec.training.loop import Report, Run, run_phase
from imgcodec.training.photo import klt, objective
from imgcodec.training.photo.klt import init_from_klt
from imgcodec.training.photo.objective import (
    Lambdas,
    PhotoData,
    PhotoNetworks,
    PhotoObjective,
    PhotoPhase,
    calibration_pass,
    change_lambdas,
    parameter_groups,
    shift_gains,
    train_phase,
)
from imgcodec.training.photo.recipe import PhotoRecipe
from imgcodec.training.photo.visual import visual_shift
from imgcodec.training.recipe import read_recipe, train

RECIPE = Path(__file__).parents[2] / "recipes" / "photo.toml"
GOLDEN = Path(__file__).parents[1] / "golden"
TINY = [*SMALL_RECIPE, *(f"phases.{i}.steps=3" for i in range(6)), "phases.0.validate_every=2"]


@pytest.fixture(scope="module")
def recipe() -> PhotoRecipe:
    return read_recipe(RECIPE, TINY)


@pytest.fixture(scope="module", autouse=True)
def _short_starts() -> Iterator[None]:
    """The same code on fewer crops: how good a model is does not matter here."""

    def crops(photographs: list[NDArray[np.uint8]], size: int, count: int, rng: np.random.Generator) -> Tensor:
        return random_crops(photographs, size, count // 32, rng)

    def shift(tokenizer: ResidualVQ, pixels: Tensor) -> Tensor:
        return visual_shift(tokenizer, pixels[:4], probes=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(klt, "random_crops", crops)
        patch.setattr(objective, "visual_shift", shift)
        yield


@pytest.fixture(scope="module")
def trained(folder: Path, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that the command has made."""
    output = tmp_path_factory.mktemp("trained")
    settings = [argument for setting in TINY for argument in ("--set", setting)]
    code, told = invoke_silent("train", RECIPE, "--data", folder, "--validation", few, "-o", output, *settings)
    assert code == 0, told
    assert told.endswith(f"Wrote {output / 'photo.safetensors'}\n")
    return output / "photo.safetensors"


def small_model(recipe: PhotoRecipe, folder: Path) -> tuple[PhotoNetworks, PhotoData]:
    photographs = load_photographs([folder], recipe.crop)
    data = PhotoData(
        photographs[2:], [p[:256, :256] for p in photographs[:2]], recipe.lambdas, recipe.crop, recipe.batch
    )
    model = copy.deepcopy(started_model(recipe, folder))
    torch.manual_seed(0)
    return model, data


@cache
def started_model(recipe: PhotoRecipe, folder: Path) -> PhotoNetworks:
    """The eigenvectors take seconds: once for all tests."""
    torch.manual_seed(0)
    model = PhotoNetworks(ResidualVQ(recipe.tokenizer), PhotoPrior(recipe.prior))
    lambdas = recipe.lambdas.at(torch.arange(8.0), 8)
    photographs = load_photographs([folder], recipe.crop)
    init_from_klt(model.tokenizer, model.prior, photographs, lambdas, np.random.default_rng(0))
    return model


def test_command_trains_a_model_that_compresses(trained: Path, folder: Path) -> None:
    rates = json.loads(trained.with_name("export.json").read_text())
    assert rates["fake_quantized_bpp"] == pytest.approx(rates["float_bpp"], rel=0.01)
    assert rates["integer_bpp"] == pytest.approx(rates["fake_quantized_bpp"], rel=0.01)
    model = imgcodec.load_model(str(trained))
    pixels = np.asarray(Image.open(folder / "3.png"))
    assert psnr(pixels, np.asarray(model.decompress(model.compress(pixels, quality=80)))) > 20


def test_command_goes_on_with_a_run_only_if_told_so(trained: Path, folder: Path) -> None:
    code, told = invoke_silent("train", RECIPE, "--data", folder, "-o", trained.parent)
    assert code == 1
    assert "holds a run already: give --resume" in told


@pytest.mark.parametrize("matrix_rate", [0.0, 1e-3], ids=["adamw", "soap"])
def test_resumed_run_ends_where_an_uninterrupted_one_does(
    matrix_rate: float, recipe: PhotoRecipe, folder: Path, tmp_path: Path
) -> None:
    ends = []
    for stops in ([6], [3, 6]):
        model, data = small_model(recipe, folder)
        for stop in stops:
            # the schedule is that of six steps in all; only where it is cut differs
            phase = PhotoPhase("joint", steps=6, warmup=1, decay_from=1.0, matrix_rate=matrix_rate)
            _train_until(model, phase, data, tmp_path / str(len(stops)), stop)
        ends.append(load_file(tmp_path / str(len(stops)) / "joint.safetensors"))
    for name, tensor in ends[0].items():
        if name != "rng":
            torch.testing.assert_close(ends[1][name], tensor, rtol=0, atol=0, msg=name)


def _train_until(model: PhotoNetworks, phase: PhotoPhase, data: PhotoData, folder: Path, stop: int) -> None:
    """One sitting: resumes, and leaves with a checkpoint at step `stop` as if interrupted there."""
    run = Run(phase, model, parameter_groups(model, phase), folder)
    torch.manual_seed(5)
    run.resume()

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        return random_crops(data.photographs, 256, 2, np.random.default_rng(step)), torch.tensor([1.0, 5.0])

    run.phase = replace(phase, steps=stop)
    run_phase(run, PhotoObjective(model, phase, data.lambdas), batch, Report)


def test_quantized_phase_trains_and_restores(recipe: PhotoRecipe, folder: Path, tmp_path: Path) -> None:
    model, data = small_model(recipe, folder)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    phase = PhotoPhase("quantized", steps=3, warmup=1, rate=1e-2, quantized=True)
    train_phase(model, phase, data, tmp_path, resume=False)
    assert any((p != before[n]).any() for n, p in model.prior.named_parameters(prefix="prior"))
    first = PhotoPrior(recipe.prior)
    first.load_state_dict(model.prior.state_dict())
    for layer in first.modules():
        if hasattr(layer, "quantized"):
            layer.quantized = True
    export(first)
    back = PhotoPrior(recipe.prior)
    restore(back, first)
    export(back)
    for name, tensor in first.state_dict().items():
        if not name.endswith(("shift", "weight", "bias")):
            assert torch.equal(back.state_dict()[name], tensor), name
        elif name.endswith("weight"):  # the same numbers, though their unit may be finer now
            shift = name.replace("weight", "shift")
            units = torch.exp2(-first.state_dict()[shift])[:, None, None, None]
            units_back = torch.exp2(-back.state_dict()[shift])[:, None, None, None]
            torch.testing.assert_close(back.state_dict()[name] * units_back, tensor * units, rtol=0, atol=0)


def test_calibration_sees_every_operand(recipe: PhotoRecipe, folder: Path) -> None:
    from imgcodec.priors.integer.trainable import FLOAT, Operand, calibrate

    model, data = small_model(recipe, folder)
    calibrate(model.prior, lambda: calibration_pass(model, data, 1))
    assert all(int(m.fraction) != FLOAT for m in model.prior.modules() if isinstance(m, Operand))


def test_training_from_a_model_file_goes_on_from_its_weights(
    trained: Path, recipe: PhotoRecipe, folder: Path, few: Path, tmp_path: Path
) -> None:
    """A phase that learns nothing ends with the model that it started from, whatever it would have started with."""
    still = PhotoPhase("still", steps=1, rate=0.0, trains="prior", quantized=True)
    other = replace(recipe, seed=recipe.seed + 1, phases=(still,))
    again = train(other, [folder], few, tmp_path, resume=False, start=str(trained))
    first, second = (load_photo_model(str(path)) for path in (trained, again))
    for name, tensor in first.tokenizer.state_dict().items():
        torch.testing.assert_close(second.tokenizer.state_dict()[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    weights = []
    for model in (first, second):
        prior = PhotoPrior(recipe.prior)
        restore(prior, model.prior)
        weights.append(dict(prior.named_parameters()))
    for name, parameter in weights[0].items():
        torch.testing.assert_close(weights[1][name], parameter, rtol=0, atol=0, msg=name)


def test_linear_paths_start_orthonormal(recipe: PhotoRecipe, folder: Path) -> None:
    model, _ = small_model(recipe, folder)
    analysis = model.tokenizer.analysis.linear.weight.flatten(1)
    torch.testing.assert_close(analysis @ analysis.T, torch.eye(len(analysis)), rtol=0, atol=1e-5)
    torch.testing.assert_close(model.tokenizer.synthesis.linear.weight.flatten(1), analysis.T)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.5, MAX_SCALE])
@pytest.mark.parametrize("mean", [0.0, 0.3, -7.9])
def test_logistic_probabilities_sum_to_one(mean: float, scale: float) -> None:
    values = torch.arange(-3000.0, 3001, dtype=torch.float64)
    bits = logistic_bits(values, torch.tensor(mean, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64))
    assert float(torch.exp2(-bits).sum()) == pytest.approx(1, abs=1e-5)


def test_rate_has_a_gradient_far_out() -> None:
    mean = torch.zeros(1, requires_grad=True)
    scale = torch.zeros(1, requires_grad=True)
    logistic_bits(torch.tensor([400.0]), mean, scale).sum().backward()
    assert torch.isfinite(mean.grad).all()
    assert mean.grad.abs() > 1
    assert scale.grad < -1


def test_data_from_shards_and_folders(folder: Path, tmp_path: Path) -> None:
    shard = tmp_path / "shard.tar"
    with tarfile.open(shard, "w") as tar:
        tar.add(folder / "0.png", "a/0.png")
        note = tarfile.TarInfo("a/note.txt")
        note.size = 3
        tar.addfile(note, io.BytesIO(b"abc"))
    assert len(load_photographs([shard, folder], 256)) == 11
    crops = random_crops(load_photographs([shard], 256), 128, 5, np.random.default_rng(0))
    assert crops.shape == (5, 3, 128, 128)
    assert crops.dtype == torch.uint8
    with pytest.raises(imgcodec.UsageError, match="no picture of at least 512"):
        load_photographs([folder], 512)


def test_damaged_data_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes((folder / "0.png").read_bytes()[:3000])
    (tmp_path / "note.tar").write_bytes(b"not a tar file")
    with pytest.raises(imgcodec.UsageError, match=r"half\.png in .* is not a whole picture"):
        load_photographs([tmp_path], 16)
    with pytest.raises(imgcodec.UsageError, match="neither a folder nor a whole tar file"):
        load_photographs([tmp_path / "note.tar"], 16)


def test_pictures_to_train_on_are_read_like_all_others(tmp_path: Path) -> None:
    """With the same limits, formats and conversions: Pillow alone makes white of 16 bits, and has errors of its own."""
    Image.fromarray(np.full((20, 30), 20000, np.uint16)).save(tmp_path / "deep.png")
    (photograph,) = load_photographs([tmp_path], 16)
    assert photograph.shape == (20, 30, 3)
    assert set(photograph.ravel()) == {78}
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    for data in (bomb, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        (tmp_path / "hostile.png").write_bytes(data)
        with pytest.raises(imgcodec.UsageError, match=r"hostile\.png in .* is not a whole picture"):
            load_photographs([tmp_path], 16)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("phases.9.steps=1", "--set phases.9.steps=1: the recipe has no phases.9.steps"),
        ("batch.size=1", "the recipe has no batch.size"),
        ("batch", "--set takes KEY=VALUE"),
        ("prior.width=]", "--set takes KEY=VALUE"),
        ("lambdas.lowest='x'x", "--set takes KEY=VALUE"),
        ("nonsense=1", "nothing is called 'nonsense'"),
        ("phases.0.batch_=1", "nothing is called 'batch_'"),
        ("tokenizer=3", "is not valid"),
        ("phases=[1]", "is not valid"),
    ],
)
def test_bad_settings_are_refused(setting: str, message: str) -> None:
    with pytest.raises(imgcodec.UsageError, match=message):
        read_recipe(RECIPE, [setting])


def test_the_start_is_of_the_recipes_kind(recipe: PhotoRecipe, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(imgcodec.UsageError, match="of profile bsq"):
        train(recipe, [folder], folder, tmp_path, False, str(GOLDEN / "bsq.safetensors"))
    raster = read_recipe(RECIPE.with_name("bsq.toml"), ["crop=64"])
    with pytest.raises(imgcodec.UsageError, match="of profile photo"):
        train(raster, [folder], folder, tmp_path, False, str(GOLDEN / "tiny.safetensors"))


def test_gains_shift_by_slice(recipe: PhotoRecipe, folder: Path) -> None:
    model, _ = small_model(recipe, folder)
    before = model.tokenizer.log_gain[1].detach().clone()
    shift_gains(model, (0.25, -0.5))
    moved = model.tokenizer.log_gain[1].detach() - before
    expected = torch.tensor([0.25] * 4 + [-0.5] * 8).expand_as(moved)
    torch.testing.assert_close(moved, expected)
    with pytest.raises(UsageError, match="a number for each of the 2 slices"):
        read_recipe(RECIPE, [*TINY, "phases.1.shift_gains=[0.0, 0.0, 0.0]"])


def test_start_from_a_model_of_other_lambdas_has_its_gains_at_the_same_lambdas(
    recipe: PhotoRecipe, folder: Path
) -> None:
    model, _ = small_model(recipe, folder)
    gain = model.tokenizer.log_gain[1][:, 0].detach().clone()
    prior_row = model.prior.fine.start.rows.detach().clone()
    old = Lambdas(0.001, 0.128)  # a factor of two a level
    change_lambdas(model, old, Lambdas(0.00025, 0.032))  # the same, two levels lower
    after = model.tokenizer.log_gain[1][:, 0].detach()
    torch.testing.assert_close(after[2:], gain[:6])
    torch.testing.assert_close(after[0], gain[0] - 2 * (gain[1] - gain[0]))
    levels = model.tokenizer.config.levels
    for after, before in zip(model.prior.fine.start.rows.detach().split(levels), prior_row.split(levels), strict=True):
        torch.testing.assert_close(after[2:], before[:6])  # of every tune
        torch.testing.assert_close(after[0], before[0])
