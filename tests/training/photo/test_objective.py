"""The objective of joint training and its phases: gradients, calibration, resumed runs, what depends on lambda."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training.photo.small import RECIPE, TINY, TOKENIZER, small_model, small_networks

from imgcodec import UsageError
from imgcodec.priors.integer.trainable import FLOAT, Operand, calibrate, export, restore
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.model import stored_tensors
from imgcodec.training.data import random_crops
from imgcodec.training.loop import Report, Run, run_phase
from imgcodec.training.photo import objective
from imgcodec.training.photo.objective import (
    Lambdas,
    PhotoData,
    PhotoNetworks,
    PhotoObjective,
    PhotoPhase,
    bits_and_tokens,
    calibration_pass,
    change_lambdas,
    decode_visually,
    parameter_groups,
    shift_gains,
    train_phase,
)
from imgcodec.training.photo.recipe import PhotoRecipe
from imgcodec.training.recipe import read_recipe


def test_lambdas_are_the_ends_and_evenly_spaced_logarithms_between() -> None:
    found = Lambdas(0.001, 0.128).at(torch.tensor([0.0, 1.0, 3.5, 7.0]), 8)
    torch.testing.assert_close(found, torch.tensor([0.001, 0.002, 0.001 * 2**3.5, 0.128]))


def test_dead_zeros_get_no_gradient_and_live_tokens_do() -> None:
    prior = small_networks().prior
    with torch.no_grad():
        for stage in (prior.coarse, prior.fine):
            for _, head in stage.slices():
                head.predict.weight.zero_()
                head.bias.rows.zero_()  # mean 0 and the narrowest width everywhere: a zero is dead
    values = [torch.zeros(1, 8, 4, 4), torch.full((1, 12, 16, 16), 0.3, requires_grad=True)]
    with torch.no_grad():
        values[1][:, :, 5, 6] = 3.2
    bits, tokens = bits_and_tokens(prior, values, torch.tensor([1.0]), noisy=True)
    (bits.sum() + tokens[1].square().sum()).backward()
    gradient = values[1].grad
    assert gradient is not None
    assert gradient[:, :, 5, 6].abs().min() > 1e-3
    gradient[:, :, 5, 6] = 0
    assert not gradient.any()


def test_noise_changes_the_gradient_and_not_the_bits() -> None:
    prior = small_networks().prior
    coarse = torch.randn(1, 8, 4, 4).round()
    fine = (torch.randn(1, 12, 16, 16) * 3).requires_grad_()
    found = []
    for noisy in (False, True):
        bits, tokens = bits_and_tokens(prior, [coarse, fine], torch.tensor([4.0]), noisy=noisy)
        found.append((bits.detach(), tokens[1].detach(), torch.autograd.grad(bits.sum(), fine)[0]))
    torch.testing.assert_close(found[0][:2], found[1][:2])
    assert (found[0][2] - found[1][2]).abs().max() > 1e-3


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


def test_the_visual_synthesis_trains_with_the_weights_that_a_file_stores() -> None:
    model = small_networks(replace(TOKENIZER, visual=True))
    visual = model.tokenizer.visual
    assert visual is not None
    pixels, level = torch.rand(2, 3, 256, 256), torch.tensor([1.0, 3.0])
    decoded = decode_visually(model, pixels, level)
    decoded.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in visual.parameters())
    trained = {name: weight.detach().clone() for name, weight in visual.named_parameters()}
    for name, weight in visual.named_parameters():
        stored = stored_tensors(f"visual.{name}", weight.detach())
        value = stored[f"visual.{name}"].float() * stored.get(f"visual.{name}.scale", torch.ones(()))
        if weight.dim() == 4 and name != "linear.weight":
            assert not torch.equal(value, trained[name])
            weight.data.copy_(value)
    with torch.no_grad():
        rounded = decode_visually(model, pixels, level)
    assert torch.allclose(rounded, decoded.detach(), atol=1e-5)


@pytest.mark.parametrize(("free", "where"), [(2 * 3 * 16 * 16, "GPU"), (2 * 3 * 16 * 16 - 1, "processor")])
def test_a_gpu_cuts_crops_if_it_has_room_for_the_photographs(
    free: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crops:
        def __init__(self, *_: object) -> None: ...
        def random_crops(self, size: int, batch: int, rng: np.random.Generator) -> str:
            return "GPU"

    monkeypatch.setattr(objective, "CropsOnDevice", Crops)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    photograph = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    data = PhotoData([photograph], [], device=torch.device("cuda"))
    crops = data.random_crops(8, 2, np.random.default_rng(2))
    if where == "GPU":
        assert crops == "GPU"
    else:
        assert torch.equal(crops, random_crops([photograph], 8, 2, np.random.default_rng(2)))
