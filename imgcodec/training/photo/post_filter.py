"""Training of the post filters (`imgcodec.tokenizers.post_filter`) behind all else.

What is before a filter stays as it is, so crops are decoded once, and then a step takes a twentieth of what it takes
with the decoder in it. So a filter learns what it can on a CPU, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from imgcodec.metrics.differentiable import psnr, structure_and_score, visual_loss
from imgcodec.tokenizers.post_filter import PostFilter
from imgcodec.tokenizers.transforms import Synthesis
from imgcodec.training import distributed
from imgcodec.training.data import random_crops
from imgcodec.training.loop import Report, Run, run_phase
from imgcodec.training.photo.objective import (
    PhotoData,
    PhotoNetworks,
    PhotoPhase,
    decoded_latent,
    parameter_groups,
    weights_as_stored,
)
from imgcodec.training.precision import mixed_precision

PATCH, VISUAL_PATCH = 64, 176
"""The side of what is taken of them for PSNR and for the eye, in pixels: MS-SSIM needs 161."""

PATCHES = 4
"""How many of those for PSNR are in a step for each crop of the recipe's batch."""


@dataclass(frozen=True)
class Decoded:
    """Crops before the filter, float16 (N, 3, H, W) around 0, the originals, uint8, and the levels (N,), from 0 for
    each tune."""

    pixels: Tensor
    originals: Tensor
    levels: Tensor


def train_filter(
    model: PhotoNetworks, phase: PhotoPhase, data: PhotoData, folder: Path, resume: bool, before: int = 0
) -> None:
    """Trains the post filter of a tune, and leaves the averaged weights in the model. before: as for `Run`."""
    synthesis = model.tokenizer.visual if phase.is_visual else model.tokenizer.synthesis
    assert synthesis is not None, "the recipe looks"
    assert synthesis.post_filter is not None, "the recipe looks"
    model.requires_grad_(False)
    synthesis.post_filter.requires_grad_(True)
    run = Run(phase, model, parameter_groups(model, phase), folder, before)
    if resume:
        run.resume()
    decoded = decode(model, synthesis, data, phase.is_visual, phase.decoded)

    def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((data.seed, step, distributed.rank()))
        count, side = (data.batch, VISUAL_PATCH) if phase.is_visual else (PATCHES * data.batch, PATCH)
        return cut(decoded, rng, count, min(side, data.crop))

    def validation() -> Report:
        return validate_filter(model, synthesis, data, phase.is_visual)

    run_phase(run, FilterObjective(synthesis.post_filter, phase, data), batch, validation)


@torch.no_grad()
def decode(model: PhotoNetworks, synthesis: Synthesis, data: PhotoData, is_visual: bool, count: int) -> Decoded:
    """`count` random crops or more at random levels, as a synthesis gives them to its filter."""
    levels, parts = model.tokenizer.config.levels, []
    for start in range(0, count, data.batch):
        rng = np.random.default_rng((data.seed, count, start, distributed.rank()))
        originals = random_crops(data.photographs, data.crop, data.batch, rng)
        level = torch.from_numpy((rng.permutation(data.batch) + rng.random(data.batch)) / data.batch).float()
        level = (level * (levels - 1)).to(data.device)
        pixels = originals.to(data.device).float().div_(255)
        parts.append((_unfiltered(model, synthesis, pixels, level, is_visual).half().cpu(), originals, level.cpu()))
    return Decoded(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _unfiltered(model: PhotoNetworks, synthesis: Synthesis, pixels: Tensor, level: Tensor, is_visual: bool) -> Tensor:
    """Pixels (B, 3, H, W) in 0..1 and level (B,), from 0 for each tune -> what the filter gets, around 0."""
    with mixed_precision(pixels.device):
        latent = decoded_latent(model, pixels, level + is_visual * model.tokenizer.config.levels)
        if not is_visual:
            return synthesis.unfiltered(latent, level).float() - 0.5
        whole = _Unfiltered(synthesis)
        decoded: Tensor = functional_call(whole, weights_as_stored(whole), (latent, level))
        return decoded.float() - 0.5


class _Unfiltered(nn.Module):
    """A synthesis before its post filter, as a module."""

    def __init__(self, synthesis: Synthesis) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(self, latent: Tensor, level: Tensor) -> Tensor:
        return self.synthesis.unfiltered(latent, level)


def cut(decoded: Decoded, rng: np.random.Generator, count: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random squares of random crops, each mirrored or not: pixels before the filter, originals, and levels. Their
    corners are those of blocks, which the filter is to see as they come."""
    height, width = decoded.originals.shape[2:]
    picked = rng.integers(0, len(decoded.originals), count)
    rows, columns = (8 * rng.integers(0, (length - side) // 8 + 1, count) for length in (height, width))
    flips = rng.integers(0, 2, count)
    found = []
    for crops in (decoded.pixels, decoded.originals):
        squares = [crops[n, :, y : y + side, x : x + side] for n, y, x in zip(picked, rows, columns, strict=True)]
        found.append(torch.stack([s.flip(2) if flip else s for s, flip in zip(squares, flips, strict=True)]))
    return found[0], found[1], decoded.levels[torch.from_numpy(picked)]


class FilterObjective(nn.Module):
    """(progress, pixels before the filter float16 (B, 3, H, W) around 0, originals uint8, level (B,)) -> loss, and
    figures to log."""

    def __init__(self, post_filter: PostFilter, phase: PhotoPhase, data: PhotoData) -> None:
        super().__init__()
        self.post_filter, self.is_visual = post_filter, phase.is_visual
        self.lambdas, self.device = data.lambdas, data.device

    def forward(
        self, _progress: float, pixels: Tensor, originals: Tensor, level: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        x, level = pixels.to(self.device).float(), level.to(self.device)
        originals = originals.to(self.device).float().div_(255)
        weights: dict[str, Tensor] = dict(self.post_filter.named_parameters())
        if self.is_visual:
            weights = weights_as_stored(self.post_filter)
        with mixed_precision(self.device):
            decoded = x + 0.5 + functional_call(self.post_filter, weights, (x, level))
            if self.is_visual:
                return visual_loss(originals, decoded)
        error = (decoded - originals).square().mean((1, 2, 3))
        with torch.no_grad():
            unfiltered = (x + 0.5 - originals).square().mean((1, 2, 3))
        scale = self.lambdas.at(level, len(self.post_filter.level)).sqrt()
        loss = (scale * error).mean() / (scale * unfiltered).mean()
        gain = 10 * (unfiltered.clamp(min=1e-10) / error.clamp(min=1e-10)).log10()
        return loss, {"loss": loss, "gain": gain.mean()}


@torch.no_grad()
def validate_filter(model: PhotoNetworks, synthesis: Synthesis, data: PhotoData, is_visual: bool) -> Report:
    """What the filter adds to the metrics of its tune on the development pictures, at every level and on average, and
    to the eye the loss."""
    assert synthesis.post_filter is not None
    figures: dict[str, float] = {}
    for index in range(model.tokenizer.config.levels):
        gains: dict[str, list[float]] = {}
        for original, before, after in _development(model, synthesis, data, index, is_visual):
            measured = [_metrics(original, decoded, is_visual) for decoded in (before, after)]
            for name in measured[0]:
                gains.setdefault(name, []).append(measured[1][name] - measured[0][name])
        figures |= {f"{name}{index}": float(np.mean(values)) for name, values in gains.items()}
    names = {name.rstrip("0123456789") for name in figures}
    mean = {n: float(np.mean([v for k, v in figures.items() if k.rstrip("0123456789") == n])) for n in names}
    return Report(mean | figures)


def _development(
    model: PhotoNetworks, synthesis: Synthesis, data: PhotoData, index: int, is_visual: bool
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The development pictures at a level: the original, before the filter, and behind it."""
    level = torch.full((1,), float(index), device=data.device)
    for picture in data.development:
        original = torch.from_numpy(np.array(picture)).to(data.device).permute(2, 0, 1)[None].float().div(255)
        x = _unfiltered(model, synthesis, original, level, is_visual)
        assert synthesis.post_filter is not None
        yield original, _shown(x), _shown(x + synthesis.post_filter(x, level))


def _shown(pixels: Tensor) -> Tensor:
    return ((pixels + 0.5) * 255).round().clamp(0, 255) / 255


def _metrics(original: Tensor, decoded: Tensor, is_visual: bool) -> dict[str, float]:
    found = {"psnr": float(psnr(original, decoded))}
    if is_visual:
        similarity, score = structure_and_score(original, decoded)
        found |= {"ms_ssim": float(similarity), "ssimulacra2": float(score)}
    return found
