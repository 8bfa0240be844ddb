"""The upscaler of a semantic model learns from photographs, and not from what is drawn: nothing that is drawn has an
original of twice its size.

    view ─┬─► a square of the decoder's side ──► + noise ──► upscaler ──► pixels ─┐
          └─► one of twice that side ─────────────────────────────────────────────┴─► mean absolute error

The noise is weak. What is drawn has specks that no photograph has, and the net learns not to sharpen them.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.pictures.square import as_square
from imgcodec.tokenizers.upscaler import FACTOR, Upscaler
from imgcodec.training import distributed
from imgcodec.training.loop import Report, Run, run_phase
from imgcodec.training.precision import mixed_precision
from imgcodec.training.semantic.objective import MOST_VALIDATED, SHOWN, SemanticData, SemanticNetworks, SemanticPhase
from imgcodec.training.semantic.views import Pixels, Views, as_tensor

NOISE = 0.02
"""Its largest deviation, of pixels in 0..1: each picture has one between none and this."""

PART = 2
"""A crop is one `PART`th of the square's side: as many pixels from more pictures."""


class UpscalerObjective(nn.Module):
    """(progress, small (B, 3, H, W), large (B, 3, 2H, 2W), both in 0..1) -> loss, and figures to log."""

    def __init__(self, networks: SemanticNetworks, mixed: bool) -> None:
        super().__init__()
        self.networks, self.mixed = networks, mixed

    def forward(self, progress: float, small: Tensor, large: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with mixed_precision(small.device, self.mixed):
            error = upscaler_of(self.networks)(small).float() - large
        loss = error.abs().mean()
        return loss, {"loss": loss, "upscaled_psnr": -10 * error.square().mean((1, 2, 3)).log10().mean()}


def train_upscaler(
    networks: SemanticNetworks, phase: SemanticPhase, data: SemanticData, mixed: bool, folder: Path, resume: bool
) -> None:
    """Trains for one phase, and leaves the averaged weights in the networks."""
    networks.requires_grad_(False)
    upscaler_of(networks).requires_grad_(True)
    run = Run(phase, networks, lambda name: "normal", folder)
    if resume:
        run.resume()
    side = networks.tokenizer.decoder.config.side

    def batch(step: int) -> tuple[Tensor, ...]:
        pairs = crops(data.views, phase.batch or data.batch, step, distributed.rank(), side)
        return tuple(part.to(data.device) for part in pairs)

    run_phase(run, UpscalerObjective(networks, mixed), batch, lambda: validate(networks, data))


def upscaler_of(networks: SemanticNetworks) -> Upscaler:
    upscaler = networks.tokenizer.upscaler
    assert upscaler is not None  # the recipe has seen to it
    return upscaler


def crops(views: Views, batch: int, step: int, rank: int, side: int) -> tuple[Tensor, Tensor]:
    """Crops of views, half of them mirrored: of squares of `side` pixels, with noise, and of those of twice the side;
    the same for the same step."""
    rng = np.random.default_rng((views.seed, step, rank, 2))
    part = max(1, side // PART)
    small: list[Pixels] = []
    large: list[Pixels] = []
    for numbers in views.draw(batch, step, rank):
        view = views.view(*numbers)
        if min(view.shape[:2]) < FACTOR * side:  # a part without pixels enough: enlarged, it would be blurred
            view = views.photographs[numbers[0]]
        top, left = rng.integers(side - part + 1, size=2)
        turn = 1 - 2 * int(rng.integers(2))
        for found, times in ((small, 1), (large, FACTOR)):
            rows, columns = (slice(times * first, times * (first + part)) for first in (top, left))
            found.append(as_square(view, times * side)[rows, columns][:, ::turn])
    noise = rng.normal(size=(batch, 3, part, part)) * rng.uniform(0, NOISE, (batch, 1, 1, 1))
    return as_tensor(small) + torch.from_numpy(noise).float(), as_tensor(large)


@torch.no_grad()
def validate(networks: SemanticNetworks, data: SemanticData) -> Report:
    """Of pictures held out: PSNR of the upscaler and of the bicubic filter, and a grid of originals, and of both."""
    side = networks.tokenizer.decoder.config.side
    small, large = (
        as_tensor([as_square(p, times * side) for p in data.held_out[:MOST_VALIDATED]]).to(data.device)
        for times in (1, FACTOR)
    )
    filtered = F.interpolate(small, scale_factor=FACTOR, mode="bicubic").clamp(0, 1)
    upscaled = upscaler_of(networks)(small)
    figures = {
        f"{name}_psnr": float(-10 * (shown - large).square().mean((1, 2, 3)).log10().mean())
        for name, shown in (("upscaled", upscaled), ("bicubic", filtered))
    }
    rows = [torch.cat(list(row[:SHOWN]), 2) for row in (large, filtered, upscaled)]
    return Report(figures, {"upscaled": torch.cat(rows, 1)})
