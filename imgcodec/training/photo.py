"""Training of the `photo` tokenizer and prior: one loss, bpp + lambda * 255^2 * MSE, over all qualities at once."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from imgcodec.priors.layers import calibrate, unquantize
from imgcodec.priors.transformer import Prior
from imgcodec.priors.windows import pack
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.data import random_crops
from imgcodec.training.klt import start_prior
from imgcodec.training.loop import Phase, Run, run_phase
from imgcodec.training.rate import logistic_bits


@dataclass(frozen=True)
class Lambdas:
    """Rate-distortion trade-off by level, log-spaced."""

    lowest: float = 0.0008
    highest: float = 0.1

    def at(self, level: Tensor, levels: int) -> Tensor:
        span = math.log(self.highest / self.lowest)
        return self.lowest * torch.exp(level * (span / (levels - 1)))


@dataclass(frozen=True)
class Data:
    """What a run trains on (uint8 (H, W, 3) photographs) and is validated on (the same, sides multiples of 256)."""

    photographs: list[np.ndarray]
    development: list[np.ndarray]
    lambdas: Lambdas = Lambdas()
    crop: int = 256
    batch: int = 8
    seed: int = 1


def photo_forward(
    tokenizer: ResidualVQ,
    prior: Prior,
    pixels: Tensor,
    level: Tensor,
    linear_analysis: bool = False,
    trains: str = "all",
) -> tuple[Tensor, Tensor]:
    """Pixels (B, 3, H, W) in 0..1, H and W multiples of 256, level (B,) -> bits (B,), MSE (B,); zeros for what is not
    trained."""
    with torch.set_grad_enabled(trains == "all"):
        latent = tokenizer.analysis.linear_path(pixels) if linear_analysis else tokenizer.analysis(pixels)
        tokens, reconstruction = tokenizer.relax(latent, level)
    bits = error = torch.zeros_like(level)
    if trains != "synthesis":
        bits = prior_bits(prior, tokens, level)
    if trains != "prior":
        error = (tokenizer.synthesis(reconstruction, level).float() - pixels).square().mean((1, 2, 3))
    return bits, error


def prior_bits(prior: Prior, tokens: list[Tensor], level: Tensor) -> Tensor:
    """Code length (B,) of centred tokens (B, groups, h, w) a stage."""
    batch, _, height, width = tokens[0].shape
    total = torch.zeros(batch, device=level.device)

    def code(stage: int, first: int, groups: int, parameters: Tensor, phase: int) -> Tensor:
        nonlocal total
        mean, scale = parameters.float().chunk(2, 1)
        value = pack(tokens[stage][:, first : first + groups], phase)
        total = total + logistic_bits(value, mean, scale).sum((1, 2, 3))
        return value

    prior((batch, height, width), level, code)
    return total


@dataclass(frozen=True)
class PhotoPhase(Phase):
    """trains: all, or only the prior or the synthesis: for fixed tokens these two know nothing of each other.
    new_prior: the prior starts afresh. linear_until: the fraction of the phase in which the analysis is its linear path
    alone (a quarter cheaper). quantized: the prior trains with fake quantization, so that its export to integers loses
    next to nothing."""

    trains: Literal["all", "prior", "synthesis"] = "all"
    new_prior: bool = False
    linear_until: float = 0.0
    quantized: bool = False


class Photo(nn.Module):
    """Tokenizer and prior, trained together."""

    def __init__(self, tokenizer: ResidualVQ, prior: Prior) -> None:
        super().__init__()
        self.tokenizer, self.prior = tokenizer, prior
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def train_phase(model: Photo, phase: PhotoPhase, data: Data, folder: Path, resume: bool) -> None:
    """Trains tokenizer and prior through one phase, and leaves the averaged weights in the model."""
    tokenizer, prior = model.tokenizer, model.prior
    levels = tokenizer.config.levels
    if phase.new_prior:
        prior.load_state_dict(Prior(prior.config).state_dict())
        unquantize(prior)
        start_prior(tokenizer, prior, random_crops(data.photographs, data.crop, 128, np.random.default_rng(data.seed)))
    model.requires_grad_(False)
    {"all": model, "prior": prior, "synthesis": tokenizer.synthesis}[phase.trains].requires_grad_(True)
    tokenizer.codebooks.requires_grad_(False)
    if phase.quantized and not prior.upsample.quantized:
        calibrate(prior, lambda: calibration_pass(model, data))

    def speed(name: str) -> str:
        if ".linear." in name:
            return "slow"
        return "fast" if name.startswith("prior.") else "normal"

    run = Run(phase, model, speed, folder)
    if resume:
        run.resume()

    def loss_of_step(step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((data.seed, step))
        pixels = random_crops(data.photographs, data.crop, data.batch, rng).float().div_(255)
        level = torch.from_numpy(rng.random(data.batch, np.float32)) * (levels - 1)
        with torch.autocast("cpu", torch.bfloat16):
            bits, error = photo_forward(tokenizer, prior, pixels, level, progress < phase.linear_until, phase.trains)
        bpp, trade = bits / data.crop**2, data.lambdas.at(level, levels)
        loss = ((bpp + trade * 255**2 * error) / trade.sqrt()).mean()
        figures = {"loss": loss, "bpp": bpp.mean(), "psnr": -10 * error.clamp(min=1e-10).log10().mean()}
        return loss, {k: float(v.detach()) for k, v in figures.items()}

    def validation() -> dict[str, float]:
        return validate(model, data, phase.progress(run.step, run.minutes) < phase.linear_until)

    run_phase(run, loss_of_step, validation)


@torch.no_grad()
def calibration_pass(model: Photo, data: Data, batches: int = 8) -> None:
    """Typical data through the float prior."""
    levels = model.tokenizer.config.levels
    for step in range(batches):
        rng = np.random.default_rng((data.seed, 0, step))
        pixels = random_crops(data.photographs, data.crop, data.batch, rng).float().div_(255)
        level = torch.linspace(0, levels - 1, data.batch)
        tokens = model.tokenizer.quantize_latent(model.tokenizer.analysis(pixels), level)
        centred = [t.float() - model.tokenizer.config.codes // 2 for t in tokens]
        prior_bits(model.prior, centred, level)


@torch.no_grad()
def validate(model: Photo, data: Data, linear_analysis: bool = False) -> dict[str, float]:
    """Code length and PSNR on the development set at every level, and the loss over all."""
    tokenizer, prior = model.tokenizer, model.prior
    levels = tokenizer.config.levels
    results: dict[str, float] = {}
    losses = []
    for index in range(levels):
        rates, psnrs = [], []
        for pixels in data.development:
            level = torch.full((1,), float(index))
            x = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float().div(255)
            with torch.autocast("cpu", torch.bfloat16):
                latent = tokenizer.analysis.linear_path(x) if linear_analysis else tokenizer.analysis(x)
                tokens, reconstruction = tokenizer.relax(latent.float(), level)
                bits = prior_bits(prior, tokens, level)
                decoded = tokenizer.synthesis(reconstruction, level).float()
            error = ((decoded * 255).round().clamp(0, 255) / 255 - x).square().mean()
            trade = data.lambdas.at(level, levels)
            rates.append(float(bits) / x[0, 0].numel())
            psnrs.append(-10 * math.log10(float(error)))
            losses.append(float((rates[-1] + trade * 255**2 * error) / trade.sqrt()))
        results |= {f"bpp{index}": float(np.mean(rates)), f"psnr{index}": float(np.mean(psnrs))}
    return {"loss": float(np.mean(losses))} | results
