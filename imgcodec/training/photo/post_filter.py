"""Training of the post filters (`imgcodec.tokenizers.post_filter`) behind all else.

What is before a filter stays as it is, so crops are decoded once, and then a step takes a twentieth of what it takes
with the decoder in it. So a filter learns what it can on a CPU, too.
"""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from imgcodec.metrics.differentiable import psnr, structure_and_score, visual_loss
from imgcodec.tokenizers.post_filter import PostFilter
from imgcodec.training import distributed
from imgcodec.training.data import random_crops
from imgcodec.training.loop import Report, Run, run_phase
from imgcodec.training.photo.data import PhotoData, as_batch, as_shown, random_levels
from imgcodec.training.photo.networks import PhotoNetworks, weights_as_stored
from imgcodec.training.photo.objective import PhotoPhase
from imgcodec.training.photo.phases import parameter_groups
from imgcodec.training.photo.rates import decoded_latent
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
    decoder = Unfiltered(model, phase.is_visual)
    decoded = decode(decoder, data, phase.decoded)
    objective = FilterObjective(synthesis.post_filter, phase.is_visual, data)

    def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((data.seed, step, distributed.rank()))
        count, side = (data.batch, VISUAL_PATCH) if phase.is_visual else (PATCHES * data.batch, PATCH)
        return cut(decoded, rng, count, min(side, data.crop))

    run_phase(run, objective, batch, lambda: validate_filter(decoder, objective, data))


class Unfiltered:
    """What a tune's synthesis gives to its filter, with the weights that a model file has."""

    def __init__(self, model: PhotoNetworks, is_visual: bool) -> None:
        self.model, self.is_visual = model, is_visual
        synthesis = model.tokenizer.visual if is_visual else model.tokenizer.synthesis
        assert synthesis is not None, "the recipe looks"
        self.synthesis = copy.deepcopy(synthesis)
        if is_visual:
            self.synthesis.load_state_dict(weights_as_stored(self.synthesis))

    @torch.no_grad()
    def __call__(self, pixels: Tensor, level: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) in 0..1 and level (B,), from 0 for each tune -> the same decoded, around 0."""
        levels = self.model.tokenizer.config.levels
        with mixed_precision(pixels.device):
            latent = decoded_latent(self.model, pixels, level + self.is_visual * levels)
            return self.synthesis.unfiltered(latent, level).float() - 0.5


def decode(decoder: Unfiltered, data: PhotoData, count: int) -> Decoded:
    """`count` random crops or more at random levels, as a filter gets them."""
    levels, parts = decoder.model.tokenizer.config.levels, []
    for start in range(0, count, data.batch):
        rng = np.random.default_rng((data.seed, count, start, distributed.rank()))
        originals = random_crops(data.photographs, data.crop, data.batch, rng)
        level = random_levels(data.batch, levels, rng)
        pixels = decoder(originals.to(data.device).float().div_(255), level.to(data.device))
        parts.append((pixels.half().cpu(), originals, level))
    return Decoded(*(torch.cat(part) for part in zip(*parts, strict=True)))


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

    def __init__(self, post_filter: PostFilter, is_visual: bool, data: PhotoData) -> None:
        super().__init__()
        self.post_filter, self.is_visual = post_filter, is_visual
        self.lambdas, self.device = data.lambdas, data.device

    def forward(
        self, _progress: float, pixels: Tensor, originals: Tensor, level: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        x, level = pixels.to(self.device).float(), level.to(self.device)
        originals = originals.to(self.device).float().div_(255)
        decoded = self.filtered(x, level)
        if self.is_visual:
            return visual_loss(originals, decoded)
        error = (decoded - originals).square().mean((1, 2, 3))
        unfiltered = (x + 0.5 - originals).square().mean((1, 2, 3))
        scale = self.lambdas.at(level, len(self.post_filter.level)).sqrt()
        loss = (scale * error).mean() / (scale * unfiltered).mean()
        gain = 10 * (unfiltered.clamp(min=1e-10) / error.clamp(min=1e-10)).log10()
        return loss, {"loss": loss, "gain": gain.mean()}

    def filtered(self, x: Tensor, level: Tensor) -> Tensor:
        """Pixels before the filter, around 0, and level -> behind it, around 0..1, with the weights that a model file
        has."""
        weights = weights_as_stored(self.post_filter) if self.is_visual else {}
        with mixed_precision(x.device):
            added: Tensor = functional_call(self.post_filter, weights, (x, level))
            return x + 0.5 + added


@torch.no_grad()
def validate_filter(decoder: Unfiltered, objective: FilterObjective, data: PhotoData) -> Report:
    """What the filter adds to the metrics of its tune on the development pictures, at every level and on average."""
    gains: dict[str, list[float]] = {}  # of each metric, by level
    levels = decoder.model.tokenizer.config.levels
    for index in range(levels):
        level = torch.full((1,), float(index), device=data.device)
        of_level: dict[str, list[float]] = {}
        for picture in data.development:
            original = as_batch(picture, data.device)
            x = decoder(original, level)
            before, after = (
                _metrics(original, as_shown(p), decoder.is_visual) for p in (x + 0.5, objective.filtered(x, level))
            )
            for name, figure in after.items():
                of_level.setdefault(name, []).append(figure - before[name])
        for name, values in of_level.items():
            gains.setdefault(name, []).append(float(np.mean(values)))
    of_levels = {f"{name}.{index}": gain for name, found in gains.items() for index, gain in enumerate(found)}
    return Report({name: float(np.mean(found)) for name, found in gains.items()} | of_levels)


def _metrics(original: Tensor, decoded: Tensor, is_visual: bool) -> dict[str, float]:
    found = {"psnr": float(psnr(original, decoded))}
    if is_visual:
        similarity, score = structure_and_score(original, decoded)
        found |= {"ms_ssim": float(similarity), "ssimulacra2": float(score)}
    return found
