"""Training of raster tokenizers, and of the priors over their tokens.

A tokenizer is trained first, by reconstruction; then it is frozen, and the prior learns to predict its tokens. The loss
of a prior is the rate, the cross-entropy in bits per pixel.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.metrics.differentiable import ms_ssim
from imgcodec.priors.integer.trainable import calibrate, quantizable
from imgcodec.priors.raster.protocol import to_digits
from imgcodec.priors.raster.sampling import sample
from imgcodec.profiles.raster.layout import TILE
from imgcodec.profiles.raster.model import Prior, Tokenizer
from imgcodec.tokenizers.init import tree_order
from imgcodec.tokenizers.quantizers import VectorQuantizer
from imgcodec.training import distributed
from imgcodec.training.data import random_crops
from imgcodec.training.loop import Phase, Report, Run, run_phase
from imgcodec.training.precision import mixed_precision

SLOW = ("linear", "quantizer", "digits", "unfold")
"""Parts of a tokenizer that are initialised from data and need small steps; the nets beside them start at zero."""

SHOWN = 4  # pictures in the log
CHUNK = 16
"""Crops that are tokenized or predicted at once where no gradient is needed."""


@dataclass(frozen=True)
class LossWeights:
    """The terms of a tokenizer's loss: `mse` times the mean squared error (pixels in 0..1), `ms_ssim` times 1 -
    MS-SSIM, and the quantizer's three losses. larger: factor on the squared error at other scales, which take turns."""

    mse: float = 1.0
    ms_ssim: float = 0.0
    vq: float = 1.0
    commit: float = 0.25
    entropy: float = 0.0
    larger: float = 0.5


@dataclass(frozen=True)
class RasterPhase(Phase):
    """trains: the tokenizer, or the prior on tokens of the frozen tokenizer. quantized: the prior trains with fake
    quantization, so that its export to integers loses next to nothing. batch, crop: 0 for those of the recipe; a prior
    always sees whole tiles of 256 x 256 pixels. revive_every: steps after which codewords that none of them used are
    revived, in the first `revive_until` of the phase; averaged weights need the rest of it to converge."""

    trains: Literal["tokenizer", "prior"] = "tokenizer"
    quantized: bool = False
    batch: int = 0
    crop: int = 0
    revive_every: int = 100
    revive_until: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("batch", 0), ("crop", 0), ("revive_every", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more")


@dataclass(frozen=True)
class RasterData:
    """photographs: to train on, uint8 (H, W, 3). tiles: to validate on, uint8 (N, 3, 256, 256).

    token_crops: the prior trains on tokens of so many random crops, which are stored; 0 tokenizes new crops at every
    step. mixed: bfloat16 where its precision is enough.
    """

    photographs: list[NDArray[np.uint8]]
    tiles: Tensor
    loss: LossWeights = LossWeights()
    crop: int = TILE
    batch: int = 8
    seed: int = 1
    token_crops: int = 0
    mixed: bool = True
    device: torch.device = distributed.CPU

    def crops(self, size: int, batch: int, *seed: int) -> Tensor:
        """Random crops, uint8 (batch, 3, size, size) on the device, by seed and process."""
        rng = np.random.default_rng((self.seed, *seed, distributed.rank()))
        return random_crops(self.photographs, size, batch, rng).to(self.device)


class RasterNetworks(nn.Module):
    """Tokenizer and prior of a raster model in training."""

    def __init__(self, tokenizer: Tokenizer, prior: Prior) -> None:
        super().__init__()
        self.tokenizer, self.prior = tokenizer, prior


class TokenizerObjective(nn.Module):
    """(progress, pixels uint8 (B, 3, H, W), scale) -> loss, and figures to log. Where scale is not 1, the pixels are
    also the target of decoding a picture of 1 / scale their size at that scale."""

    def __init__(self, tokenizer: Tokenizer, weights: LossWeights, mixed: bool = True) -> None:
        super().__init__()
        self.tokenizer, self.weights, self.mixed = tokenizer, weights, mixed

    def forward(self, progress: float, pixels: Tensor, scale: int) -> tuple[Tensor, dict[str, Tensor]]:
        pixels, weights = to_unit(pixels), self.weights
        with mixed_precision(pixels.device, self.mixed):
            decoded, parts = self.tokenizer(pixels)
        error = (decoded.float() - pixels).square().mean()
        loss = weights.mse * error + weights.vq * parts.vq + weights.commit * parts.commit
        if weights.entropy:  # its gradient costs more than those of all other terms
            loss = loss + weights.entropy * parts.entropy
        figures = {"psnr": -10 * error.clamp(min=1e-10).log10(), "commit": parts.commit, "entropy": parts.entropy}
        figures |= {"usage": parts.usage}
        if weights.ms_ssim:
            similarity = ms_ssim(pixels, decoded.float()).mean()
            loss = loss + weights.ms_ssim * (1 - similarity)
            figures["ms_ssim"] = similarity
        if scale > 1:
            with mixed_precision(pixels.device, self.mixed):
                with torch.no_grad():  # the encoder learns at scale 1 only
                    tokens = self.tokenizer.encode(F.avg_pool2d(pixels, scale))
                larger = self.tokenizer.decode(tokens, scale)
            loss = loss + weights.larger * weights.mse * (larger.float() - pixels).square().mean()
        return loss, {"loss": loss, **figures}


class PriorObjective(nn.Module):
    """(progress, tokens of stage 0, of stage 1, ...) -> bits per pixel, and figures to log."""

    def __init__(self, prior: Prior, mixed: bool = True) -> None:
        super().__init__()
        self.prior, self.mixed = prior, mixed

    def forward(self, progress: float, *tokens: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with mixed_precision(tokens[0].device, self.mixed):
            bits = cross_entropy_bits(self.prior, tokens)
        stages = torch.stack([b.mean() for b in bits]) / TILE**2
        return stages.sum(), {"loss": stages.sum(), **{f"bpp{i}": b for i, b in enumerate(stages)}}


def cross_entropy_bits(prior: Prior, tokens: Sequence[Tensor], unit: float = 1) -> list[Tensor]:
    """Bits (B,) of every stage's tokens (B, h, w). unit: the prior's logits are in 1/unit nat."""
    lengths = []
    for stage, logits in zip(tokens, prior(list(tokens)), strict=True):
        digits = to_digits(stage, prior.digits)
        nats = [
            F.cross_entropy(numbers.float() / unit, digits[..., i], reduction="none").sum((1, 2))
            for i, numbers in enumerate(logits)
        ]
        lengths.append(torch.stack(nats).sum(0) / math.log(2))
    return lengths


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 (B, 3, H, W) -> 0..1. Not channels last in memory, as crops are: with that, group normalisation takes twice
    as long as all the rest."""
    return pixels.float().div(255).contiguous()


@torch.no_grad()
def tokenize(tokenizer: Tokenizer, crops: Tensor) -> list[Tensor]:
    """Tokens of crops, uint8 (N, 3, H, W), a few crops at a time."""
    parts = [tokenizer.encode(to_unit(chunk)) for chunk in crops.split(CHUNK)]
    return [torch.cat(stage) for stage in zip(*parts, strict=True)]


class CropTokens:
    """Tokens of random crops from a frozen tokenizer: of new crops at each step, or of stored ones."""

    def __init__(self, tokenizer: Tokenizer, data: RasterData) -> None:
        self.tokenizer, self.data = tokenizer, data
        self.store: list[Tensor] = []
        if data.token_crops:
            parts = [self.new(CHUNK, i) for i in range(-(-data.token_crops // CHUNK))]
            self.store = [torch.cat(stage).to(torch.int32) for stage in zip(*parts, strict=True)]

    def new(self, batch: int, *seed: int) -> tuple[Tensor, ...]:
        """Tokens (batch, h, w) of every stage, of new crops."""
        return tuple(tokenize(self.tokenizer, self.data.crops(TILE, batch, 1, *seed)))

    def many(self, least: int) -> list[Tensor]:
        """The stored tokens, or those of at least `least` new crops: int (N, h, w) of every stage."""
        if self.store:
            return self.store
        parts = [self.new(CHUNK, 2, i) for i in range(-(-least // CHUNK))]
        return [torch.cat(stage) for stage in zip(*parts, strict=True)]

    def draw(self, batch: int, step: int) -> tuple[Tensor, ...]:
        """Tokens (batch, h, w) of every stage, for a step of training."""
        if not self.store:
            return self.new(batch, 1, step)
        rng = np.random.default_rng((self.data.seed, step, distributed.rank()))
        index = torch.from_numpy(rng.integers(len(self.store[0]), size=batch)).to(self.data.device)
        return tuple(stage[index].long() for stage in self.store)


def train_tokenizer(model: RasterNetworks, phase: RasterPhase, data: RasterData, folder: Path, resume: bool) -> None:
    """Trains the tokenizer for one phase, and leaves the averaged weights in the model, codes in `tree_order`."""
    tokenizer = model.tokenizer
    model.requires_grad_(False)
    tokenizer.requires_grad_(True)
    run = Run(phase, tokenizer, _group, folder)
    if resume:
        run.resume()
    crop, batch_size = phase.crop or data.crop, phase.batch or data.batch
    larger = tokenizer.scales[1:]

    def batch(step: int) -> tuple[Tensor, int]:
        torch.manual_seed(hash((data.seed, step, distributed.rank())))  # for dropout
        return data.crops(crop, batch_size, step), larger[step % len(larger)] if larger else 1

    quantizers = [m for m in tokenizer.modules() if isinstance(m, VectorQuantizer)]

    def revive(step: int) -> None:
        if (step + 1) % phase.revive_every == 0 and phase.progress(step, run.minutes) < phase.revive_until:
            for quantizer in quantizers:
                quantizer.revive()

    objective = TokenizerObjective(tokenizer, data.loss, data.mixed)
    run_phase(run, objective, batch, lambda: validate_tokenizer(tokenizer, data), revive)
    for quantizer in quantizers:
        quantizer.reorder(tree_order(quantizer.code_vectors()))


def _group(name: str) -> str:
    """The parameter group of a tokenizer's parameter, for `Run`."""
    return "slow" if any(part in name for part in SLOW) else "normal"


def train_prior(
    model: RasterNetworks, phase: RasterPhase, data: RasterData, tokens: CropTokens, folder: Path, resume: bool
) -> None:
    """Trains the prior for one phase on tokens of the tokenizer, and leaves the averaged weights in the model."""
    prior = model.prior
    model.eval().requires_grad_(False)
    prior.requires_grad_(True)
    batch_size = phase.batch or data.batch
    if phase.quantized and not next(quantizable(prior)).quantized:
        calibrate_prior(prior, tokens, batch_size)
    run = Run(phase, prior, lambda name: "normal", folder)
    if resume:
        run.resume()
    known = tokenize(model.tokenizer, data.tiles)

    def validation() -> Report:
        return Report(rates(prior, known), {"samples": side_by_side(samples(model, SHOWN))})

    def batch(step: int) -> tuple[Tensor, ...]:
        return tokens.draw(batch_size, step)

    run_phase(run, PriorObjective(prior, data.mixed), batch, validation)


@torch.no_grad()
def calibrate_prior(prior: Prior, tokens: CropTokens, batch: int) -> None:
    """Calibrates the prior on typical tokens, which turns fake quantization on."""

    def passes() -> None:
        for step in range(8):
            prior(list(tokens.draw(batch, step)))

    calibrate(prior, passes)


@torch.no_grad()
def rates(prior: Prior, tokens: list[Tensor], unit: float = 1) -> dict[str, float]:
    """Bits per pixel of the tokens (N, h, w) of tiles, in all and by stage."""
    bits = torch.zeros(len(tokens), dtype=torch.float64)
    for chunk in _chunks(tokens):
        bits += torch.stack([b.double().sum().cpu() for b in cross_entropy_bits(prior, chunk, unit)])
    bpp = (bits / (len(tokens[0]) * TILE**2)).tolist()
    return {"bpp": sum(bpp), **{f"bpp{i}": b for i, b in enumerate(bpp)}}


@torch.no_grad()
def validate_tokenizer(tokenizer: Tokenizer, data: RasterData) -> Report:
    """PSNR, MS-SSIM, the perplexity of each stage's codes, and their order-0 entropy in bits per pixel. That is from
    frequencies in these few tiles, so for large codebooks it is too low: `order0_lengths` gives a fair figure."""
    tokens = tokenize(tokenizer, data.tiles)
    decoded = torch.cat(
        [tokenizer.decode(list(c)).float() for c in zip(*(t.split(CHUNK) for t in tokens), strict=True)]
    )
    original = to_unit(data.tiles)
    error = ((decoded * 255).round().clamp(0, 255) / 255 - original).square().mean((1, 2, 3))
    figures = {"psnr": float((-10 * error.clamp(min=1e-10).log10()).mean())}
    figures["ms_ssim"] = float(
        torch.cat([ms_ssim(o[None], d[None]) for o, d in zip(original, decoded, strict=True)]).mean()
    )
    entropies = [order0(stage) for stage in tokens]
    figures["bpp_order0"] = sum(e * t[0].numel() for e, t in zip(entropies, tokens, strict=True)) / TILE**2
    figures |= {f"perplexity{i}": 2**entropy for i, entropy in enumerate(entropies)}
    figures |= {f"used{i}": len(t.unique()) / tokenizer.codebook_size for i, t in enumerate(tokens)}
    pairs = torch.cat([original[:SHOWN], decoded[:SHOWN]], 3)
    pictures = {"reconstruction": side_by_side(pairs)}
    for scale in tokenizer.scales[1:]:
        pictures[f"reconstruction_{scale}x"] = tokenizer.decode([t[:1] for t in tokens], scale)[0]
    return Report(figures, pictures)


def _chunks(tokens: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(stage.split(CHUNK) for stage in tokens), strict=True)


def order0(tokens: Tensor) -> float:
    """The order-0 entropy of tokens, of their frequencies alone, in bits per token."""
    counts = tokens.flatten().unique(return_counts=True)[1].double()
    share = counts / counts.sum()
    return float(-(share * share.log2()).sum())


@torch.no_grad()
def order0_lengths(tokens: Tensor, known: Tensor, codebook_size: int, digits: tuple[int, ...]) -> float:
    """Bits per token that `tokens` cost an order-0 coder, which knows the frequencies of codes in `known` and nothing
    else. Both are integers (N, h, w).

    Frequencies are smoothed with those of the digits, as if these had been seen n times. The n is the best of several
    for these tokens, which favours the coder over a prior that is compared with it."""
    counts = torch.bincount(known.flatten().long(), minlength=codebook_size).double()
    of_codes = to_digits(torch.arange(codebook_size, device=counts.device), digits)
    guess = torch.ones_like(counts)
    for digit, values in enumerate(digits):
        share = torch.zeros(values, dtype=counts.dtype, device=counts.device).index_add_(0, of_codes[:, digit], counts)
        share += 0.5
        guess *= (share / share.sum())[of_codes[:, digit]]
    guess /= guess.sum()
    occurrences = torch.bincount(tokens.flatten().long(), minlength=codebook_size).double()
    lengths = []
    for weight in (2.0**power for power in range(4, 21, 2)):
        bits = -((counts + weight * guess) / (counts.sum() + weight)).log2()
        lengths.append(float((occurrences * bits).sum() / occurrences.sum()))
    return min(lengths)


@torch.no_grad()
def samples(model: RasterNetworks, count: int) -> Tensor:
    """Samples from the prior, decoded, (count, 3, 256, 256); the same ones for the same weights."""
    sizes = [(side, side) for side in model.prior.sides]
    drawn = sample(model.prior, count, sizes, generator=torch.Generator().manual_seed(0))
    return model.tokenizer.decode(drawn).float()


def side_by_side(pictures: Tensor) -> Tensor:
    """(N, 3, H, W) -> (3, H, N * W)."""
    return torch.cat(list(pictures), 2)
