"""Phases of the training of a `photo` model: what each trains, and how it is validated."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from imgcodec.bitstream.errors import UsageError
from imgcodec.metrics.differentiable import visual_loss
from imgcodec.priors.integer.trainable import LevelTable, calibrate, unquantize
from imgcodec.training import distributed
from imgcodec.training.data import random_crops
from imgcodec.training.loop import Report, Run, run_phase
from imgcodec.training.photo.data import PhotoData, as_batch, as_shown, random_levels
from imgcodec.training.photo.networks import PhotoNetworks, shift_gains, weights_as_stored
from imgcodec.training.photo.objective import PhotoObjective, PhotoPhase
from imgcodec.training.photo.rates import bits_and_latent, bits_and_tokens, rate_and_distortion
from imgcodec.training.photo.visual import visual_shift
from imgcodec.training.photo.widening import add_widening_of_visual_tune
from imgcodec.training.precision import mixed_precision


def train_phase(
    model: PhotoNetworks, phase: PhotoPhase, data: PhotoData, folder: Path, resume: bool, before: int = 0
) -> None:
    """Trains one phase, and leaves the averaged weights in the model. before: as for `Run`."""
    tokenizer, prior = model.tokenizer, model.prior
    levels = tokenizer.config.levels
    model.requires_grad_(False)
    parts = {"all": model, "prior": prior, "synthesis": tokenizer.synthesis, "visual": tokenizer.visual}
    trained = parts[phase.trains]
    if trained is None:
        raise UsageError("The recipe trains a visual synthesis, and its tokenizer has none: set visual = true.")
    trained.requires_grad_(True)
    tokenizer.codebooks.requires_grad_(False)
    if phase.quantized and not prior.upsample.quantized:
        calibrate(prior, lambda: calibration_pass(model, data))

    run = Run(phase, model, parameter_groups(model, phase), folder, before)
    if phase.trains in ("all", "prior") and not phase.quantized:
        unquantize(prior)  # a prior from a model file is quantized
    if phase.shift_gains:
        shift_gains(model, phase.shift_gains)
    if phase.begin_visual or (phase.trains == "visual" and not tokenizer.visual_shift.any()):
        add_visual_tune(model, data)
    if resume:
        run.resume()

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((data.seed, step, distributed.rank()))
        pixels = data.random_crops(data.crop, data.batch, rng)
        level = random_levels(data.batch, levels, rng)
        tune = torch.from_numpy(rng.integers(0, prior.config.tunes if phase.trains == "prior" else 1, data.batch))
        return pixels.to(data.device), (level + levels * tune).to(data.device)

    def validation() -> Report:
        if phase.is_visual:
            return validate_visually(model, data)
        return validate(model, data, phase.progress(run.step, run.minutes) < phase.linear_until)

    objective = PhotoObjective(model, phase, data.lambdas)
    records = data.device.type == "cuda" and not phase.linear_until and not distributed.is_distributed()
    run_phase(run, objective, batch, validation, records=records)


def parameter_groups(model: PhotoNetworks, phase: PhotoPhase) -> Callable[[str], str]:
    """The parameter group of each parameter, for `Run`. SOAP, where a phase has it, trains all weights of
    convolutions but those of the linear paths, whose precision is the ceiling of the codec."""
    convolutions = {n for n, p in model.named_parameters() if p.dim() == 4 and p.squeeze().dim() > 1}
    matrices = convolutions if phase.matrix_rate else set()

    def group(name: str) -> str:
        if ".linear." in name:
            return "slow"
        if name in matrices:
            return "matrix"
        return "fast" if name.startswith("prior.") else "normal"

    return group


@torch.no_grad()
def add_visual_tune(model: PhotoNetworks, data: PhotoData) -> None:
    """Initialises the visual tune of a model: steps by sensitivity, the rest as for PSNR."""
    tokenizer = model.tokenizer
    assert tokenizer.visual is not None
    crops = typical_crops(data)
    with torch.enable_grad():
        tokenizer.visual_shift.copy_(visual_shift(tokenizer, crops))
    add_widening_of_visual_tune(tokenizer, crops)
    tokenizer.visual.load_state_dict(tokenizer.synthesis.state_dict())
    for layer in model.prior.modules():
        if isinstance(layer, LevelTable):
            psnr_rows = layer.rows[: len(layer.rows) // 2]
            layer.rows.copy_(psnr_rows.repeat(2, 1))


def typical_crops(data: PhotoData) -> Tensor:
    """Pixels (32, 3, 256, 256) in 0..1 of the photographs, on the device, the same ones every time."""
    rng = np.random.default_rng(data.seed)
    crops = torch.cat([random_crops(data.photographs, 256, 4, rng) for _ in range(8)])
    return crops.to(data.device).float().div_(255)


@torch.no_grad()
def calibration_pass(model: PhotoNetworks, data: PhotoData, batches: int = 8) -> None:
    """Passes typical data through the float prior."""
    levels = model.tokenizer.config.levels
    for step in range(batches):
        rng = np.random.default_rng((data.seed, 0, step))
        pixels = random_crops(data.photographs, data.crop, data.batch, rng).to(data.device).float().div_(255)
        level = torch.linspace(0, levels - 1, data.batch, device=data.device)
        level = level + levels * (step % model.prior.config.tunes)
        rate_and_distortion(model.tokenizer, model.prior, pixels, level, trains="prior")


@torch.no_grad()
def validate(model: PhotoNetworks, data: PhotoData, linear_analysis: bool = False) -> Report:
    """Rate and PSNR on the development set at every level, the loss over all of them, and the first picture at each."""
    tokenizer, prior = model.tokenizer, model.prior
    levels = tokenizer.config.levels
    results: dict[str, float] = {}
    pictures: dict[str, Tensor] = {}
    losses = []
    for index in range(levels):
        rates, psnrs = [], []
        for number, picture in enumerate(data.development):
            level = torch.full((1,), float(index), device=data.device)
            x = as_batch(picture, data.device)
            with mixed_precision(x.device):
                latent = tokenizer.analysis.linear_path(x) if linear_analysis else tokenizer.analysis(x)
                bits, tokens = bits_and_tokens(prior, tokenizer.ste_residuals(latent.float(), level), level)
                decoded = tokenizer.synthesis(tokenizer.dequantize_lattice(tokens, level), level).float()
            decoded = as_shown(decoded)
            error = (decoded - x).square().mean()
            lambda_ = data.lambdas.at(level, levels)
            rates.append(float(bits) / x[0, 0].numel())
            psnrs.append(-10 * math.log10(float(error)))
            losses.append(float((rates[-1] + lambda_ * 255**2 * error) / lambda_.sqrt()))
            if number == 0:
                pictures[f"level{index}"] = torch.cat([x[0], decoded[0]], 2)  # the original is at the left
        results |= {f"bpp{index}": float(np.mean(rates)), f"psnr{index}": float(np.mean(psnrs))}
    return Report({"loss": float(np.mean(losses))} | results, pictures)


@torch.no_grad()
def validate_visually(model: PhotoNetworks, data: PhotoData) -> Report:
    """Rate and metrics of the visual tune on the development set at every level, and its loss over all of them."""
    tokenizer = model.tokenizer
    assert tokenizer.visual is not None
    levels = tokenizer.config.levels
    results: dict[str, float] = {}
    losses = []
    for index in range(levels):
        found: dict[str, list[float]] = {}
        for picture in data.development:
            level = torch.full((1,), float(index), device=data.device)
            x = as_batch(picture, data.device)
            with mixed_precision(x.device):
                bits, latent = bits_and_latent(model, x, level + levels)
                decoded = functional_call(tokenizer.visual, weights_as_stored(tokenizer.visual), (latent, level))
            loss, metrics = visual_loss(x, as_shown(decoded.float()))
            losses.append(float(loss))
            for name, figure in {"bpp": bits / x[0, 0].numel(), **metrics}.items():
                found.setdefault(name, []).append(float(figure))
        results |= {f"{name}{index}": float(np.mean(values)) for name, values in found.items() if name != "loss"}
    return Report({"loss": float(np.mean(losses))} | results)
