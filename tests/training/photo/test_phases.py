"""Phases: resumed ones end where others do, and calibration sees all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training.photo.small import small_model

from imgcodec.priors.integer.trainable import FLOAT, Operand, calibrate, export, restore
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.training.data import random_crops
from imgcodec.training.loop import Report, Run, run_phase
from imgcodec.training.photo.data import PhotoData
from imgcodec.training.photo.networks import PhotoNetworks
from imgcodec.training.photo.objective import PhotoObjective, PhotoPhase
from imgcodec.training.photo.phases import calibration_pass, parameter_groups, train_phase
from imgcodec.training.photo.recipe import PhotoRecipe


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
    model, data = small_model(recipe, folder)
    calibrate(model.prior, lambda: calibration_pass(model, data, 1))
    assert all(int(m.fraction) != FLOAT for m in model.prior.modules() if isinstance(m, Operand))
