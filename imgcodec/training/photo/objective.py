"""Training of the `photo` tokenizer and prior with one loss, bpp + lambda * 255^2 * MSE, for all qualities at once; and
of the synthesis for `--tune visual` with a loss of perceptual metrics, on the tokens of its own tune."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from imgcodec.bitstream.errors import UsageError
from imgcodec.metrics.differentiable import visual_loss
from imgcodec.priors.integer.trainable import LevelTable, calibrate, unquantize
from imgcodec.priors.photo.rate import logistic_bits, rdo_quantize
from imgcodec.priors.photo.rdoq import slice_weight
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.photo.windows import checkerboard_half, join_slices
from imgcodec.profiles.photo.model import scale_of_bytes
from imgcodec.tokenizers.layers import interpolate_levels, straight_through
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training import distributed
from imgcodec.training.data import CropsOnDevice, random_crops
from imgcodec.training.loop import Phase, Report, Run, run_phase
from imgcodec.training.photo.visual import visual_shift
from imgcodec.training.precision import mixed_precision


@dataclass(frozen=True)
class Lambdas:
    """The rate-distortion trade-off lambda of each level, log-spaced."""

    lowest: float = 0.0008
    highest: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest:
            raise ValueError("lambdas must be above 0, the lowest below the highest")

    def at(self, level: Tensor, levels: int) -> Tensor:
        """Lambda of fractional levels, 0 to `levels` - 1."""
        span = math.log(self.highest / self.lowest)
        return self.lowest * torch.exp(level * (span / (levels - 1)))


@dataclass(frozen=True)
class PhotoData:
    """photographs: to train on, uint8 (H, W, 3). development: to validate on, likewise, sides multiples of 256."""

    photographs: list[np.ndarray]
    development: list[np.ndarray]
    lambdas: Lambdas = Lambdas()
    crop: int = 256
    batch: int = 8
    seed: int = 1
    device: torch.device = distributed.CPU

    @cached_property
    def random_crops(self) -> Callable[[int, int, np.random.Generator], Tensor]:
        """`random_crops` of these photographs, on a GPU whose free memory is at least twice theirs."""
        size = sum(p.size for p in self.photographs)
        if self.device.type == "cuda" and 2 * size <= torch.cuda.mem_get_info(self.device)[0]:
            return CropsOnDevice(self.photographs, self.device).random_crops
        return partial(random_crops, self.photographs)


def rate_and_distortion(
    tokenizer: ResidualVQ,
    prior: PhotoPrior,
    pixels: Tensor,
    level: Tensor,
    linear_analysis: bool = False,
    trains: str = "all",
    noisy: bool = False,
) -> tuple[Tensor, Tensor]:
    """Pixels (B, 3, H, W) in 0..1, H and W multiples of 256, and level (B,) -> bits (B,) and MSE (B,), which is zero
    where only the prior is trained. trains, noisy: see `PhotoPhase`."""
    with torch.set_grad_enabled(trains == "all"):
        latent = tokenizer.analysis.linear_path(pixels) if linear_analysis else tokenizer.analysis(pixels)
        values = tokenizer.ste_residuals(latent, level)
    with torch.set_grad_enabled(trains != "synthesis"):
        bits, tokens = bits_and_tokens(prior, values, level, noisy=noisy)
    error = torch.zeros_like(level)
    if trains in ("all", "synthesis"):
        decoded = tokenizer.synthesis(tokenizer.dequantize_lattice(tokens, level), level)
        error = (decoded.float() - pixels).square().mean((1, 2, 3))
    return bits, error


def bits_and_tokens(
    prior: PhotoPrior, values: Sequence[Tensor], level: Tensor, rounds: bool = True, noisy: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Values of both stages (B, groups, h, w), centred, and level (B,) -> the bits (B,) of their tokens, and the
    tokens.

    rounds: values of stage 1 are real numbers, to be rounded as the encoder rounds them (`imgcodec.priors.photo.rdoq`),
    with gradients straight through; otherwise they are tokens. noisy: see `PhotoPhase`.
    """
    batch, _, height, width = values[0].shape
    total = torch.zeros(batch, device=level.device)
    given = [
        [iter(checkerboard_half(value, parity).split(groups, 1)) for parity in (0, 1)]
        for value, groups in zip(values, prior.config.slices, strict=True)
    ]
    chosen: list[list[Tensor]] = [[], []]

    def code(stage: int, first: int, groups: int, parameters: Tensor, parity: int) -> Tensor:
        nonlocal total
        value = next(given[stage][parity])
        if not rounds or stage == 0:
            bits = bits_of_tokens(value, parameters)
        else:
            weight = slice_weight(first, groups, values[stage].shape[1])
            bits, value = bits_of_choice(value, parameters, weight, noisy)
        total = total + bits
        chosen[stage].append(value)
        return value

    prior((batch, height, width), level, code)
    tokens = [join_slices(halves) for halves in chosen]
    return total, tokens


def bits_of_tokens(tokens: Tensor, parameters: Tensor) -> Tensor:
    """Tokens (B, groups, h, w) and a head's parameters (B, 2 * groups, h, w) -> their bits (B,)."""
    mean, scale = parameters.float().chunk(2, 1)
    return logistic_bits(tokens, mean, scale).sum((1, 2, 3))


def bits_of_choice(values: Tensor, parameters: Tensor, weight: float, noisy: bool) -> tuple[Tensor, Tensor]:
    """Real values (B, groups, h, w) and a head's parameters (B, 2 * groups, h, w) -> the bits (B,) of the tokens that
    the encoder would choose, and the tokens, with gradients as `PhotoPhase` says."""
    mean, scale = parameters.float().chunk(2, 1)
    token = rdo_quantize(values.detach(), mean.detach(), scale.detach(), weight)
    if not noisy:
        values = straight_through(token, values)
        return logistic_bits(values, mean, scale).sum((1, 2, 3)), values
    bits = logistic_bits(token, mean, scale).sum((1, 2, 3))
    alive = ~((token == 0) & (scale.detach() < DEAD_SCALE) & (mean.detach().abs() < DEAD_MEAN))
    bits = bits + rate_under_noise(values, mean.detach(), scale.detach(), alive)
    return bits, torch.where(alive, straight_through(token, values), token)


DEAD_SCALE, DEAD_MEAN = 0.85, 0.3
"""A zero is dead where its predicted scale and mean are less: a logistic distribution 0.16 wide, or a deviation of 0.3,
which charges it 0.3 bits at most."""


def rate_under_noise(value: Tensor, mean: Tensor, scale: Tensor, alive: Tensor) -> Tensor:
    """Zeros (B,) with a gradient by `value`: that of the bits of the values that are alive, with uniform noise instead
    of rounding (Balle et al. 2017)."""
    bits = logistic_bits(value + torch.rand_like(value) - 0.5, mean, scale)
    bits = bits.masked_fill(~alive, 0).sum((1, 2, 3))
    return bits - bits.detach()


@dataclass(frozen=True)
class PhotoPhase(Phase):
    """trains: all, or only the prior, the synthesis or the visual synthesis, which for frozen tokens do not depend on
    each other; or only the post filter of one of these (`imgcodec.training.photo.post_filter`). linear_until: the
    fraction of the phase in which the analysis is its linear path alone (a quarter cheaper). noisy: the gradient of the
    rate by the latent comes from uniform noise instead of straight-through rounding, and dead zeros have none.
    quantized: the prior trains with fake quantization, so that its export to integers loses next to nothing.
    shift_gains: added to the logarithm of the gains of stage 1 before the phase, one number for each slice of the
    prior. Straight-through gradients do not see that tokens of early slices are context for later ones, and make their
    steps too wide. begin_visual: before the phase the model gets a visual tune: steps by sensitivity
    (`imgcodec.training.photo.visual`), level tables and synthesis as copies of those for PSNR. decoded: the crops that
    a post filter learns from, 600 KB each at 256 x 256.
    """

    trains: Literal["all", "prior", "synthesis", "visual", "filter", "visual filter"] = "all"
    linear_until: float = 0.0
    noisy: bool = False
    quantized: bool = False
    shift_gains: tuple[float, ...] = ()
    begin_visual: bool = False
    decoded: int = 1500

    @property
    def is_visual(self) -> bool:
        """Whether it trains what only the visual tune has."""
        return self.trains in ("visual", "visual filter")

    @property
    def trains_filter(self) -> bool:
        """Whether it trains a post filter alone."""
        return self.trains in ("filter", "visual filter")


class PhotoNetworks(nn.Module):
    """Tokenizer and prior of a `photo` model in training."""

    def __init__(self, tokenizer: ResidualVQ, prior: PhotoPrior) -> None:
        super().__init__()
        self.tokenizer, self.prior = tokenizer, prior
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


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
        return validate(model, data, phase.progress(run.step, run.minutes) < phase.linear_until)

    objective = PhotoObjective(model, phase, data.lambdas)
    records = data.device.type == "cuda" and not phase.linear_until and not distributed.is_distributed()
    run_phase(run, objective, batch, validation, records=records)


def random_levels(count: int, levels: int, rng: np.random.Generator) -> Tensor:
    """(count,), one in each of as many equal parts of the range: levels differ more in their losses than pictures."""
    return torch.from_numpy((rng.permutation(count) + rng.random(count)) / count).float() * (levels - 1)


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


class PhotoObjective(nn.Module):
    """(progress, pixels uint8 (B, 3, H, W), level (B,)) -> loss, and figures to log.

    Levels of the visual tune follow those of the other; a phase that trains its synthesis has them as for PSNR."""

    def __init__(self, model: PhotoNetworks, phase: PhotoPhase, lambdas: Lambdas) -> None:
        super().__init__()
        self.model, self.phase, self.lambdas = model, phase, lambdas

    def forward(self, progress: float, pixels: Tensor, level: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = pixels.float().div_(255)
        tokenizer, trains = self.model.tokenizer, self.phase.trains
        with mixed_precision(pixels.device):
            if trains == "visual":
                return visual_loss(pixels, decode_visually(self.model, pixels, level))
            linear = progress < self.phase.linear_until
            bits, error = rate_and_distortion(
                tokenizer, self.model.prior, pixels, level, linear, trains, self.phase.noisy
            )
        levels = tokenizer.config.levels
        bpp, lambda_ = bits / pixels[0, 0].numel(), self.lambdas.at(level % levels, levels)
        loss = ((bpp + lambda_ * 255**2 * error) / lambda_.sqrt()).mean()
        return loss, {"loss": loss, "bpp": bpp.mean(), "psnr": -10 * error.clamp(min=1e-10).log10().mean()}


def decode_visually(model: PhotoNetworks, pixels: Tensor, level: Tensor) -> Tensor:
    """Pixels (B, 3, H, W) in 0..1 and level (B,) as for PSNR -> their reconstruction in the visual tune, with gradients
    for its synthesis alone."""
    tokenizer = model.tokenizer
    assert tokenizer.visual is not None
    with torch.no_grad():
        latent = decoded_latent(model, pixels, level + tokenizer.config.levels)
    decoded: Tensor = functional_call(tokenizer.visual, weights_as_stored(tokenizer.visual), (latent, level))
    return decoded


def decoded_latent(model: PhotoNetworks, pixels: Tensor, level: Tensor) -> Tensor:
    """Pixels (B, 3, H, W) in 0..1 and level (B,), of either tune -> the latent that a decoder has."""
    tokenizer = model.tokenizer
    values = tokenizer.ste_residuals(tokenizer.analysis(pixels), level)
    _, tokens = bits_and_tokens(model.prior, values, level)
    return tokenizer.dequantize_lattice(tokens, level)


def weights_as_stored(visual: nn.Module) -> dict[str, Tensor]:
    """The parameters of the visual synthesis or of a part of it, rounded as `as_stored` does."""
    return {name: as_stored(name, weight) for name, weight in visual.named_parameters()}


def as_stored(name: str, weight: Tensor) -> Tensor:
    """A weight of the visual synthesis in the 8 bits that a model file has for it, with the gradient passed straight
    through. What is rounded only in the end takes 1.2 % more bits for the same MS-SSIM."""
    if weight.dim() != 4 or name == "linear.weight":
        return weight
    scale = scale_of_bytes(weight.detach())
    return straight_through((weight / scale).round() * scale, weight)


@torch.no_grad()
def add_visual_tune(model: PhotoNetworks, data: PhotoData) -> None:
    """Initialises the visual tune of a model: steps by sensitivity, the rest as for PSNR."""
    tokenizer = model.tokenizer
    assert tokenizer.visual is not None
    rng = np.random.default_rng(data.seed)
    crops = torch.cat([random_crops(data.photographs, 256, 4, rng) for _ in range(8)])
    crops = crops.to(data.device).float().div_(255)
    with torch.enable_grad():
        tokenizer.visual_shift.copy_(visual_shift(tokenizer, crops))
    tokenizer.visual.load_state_dict(tokenizer.synthesis.state_dict())
    for layer in model.prior.modules():
        if isinstance(layer, LevelTable):
            psnr_rows = layer.rows[: len(layer.rows) // 2]
            layer.rows.copy_(psnr_rows.repeat(2, 1))


@torch.no_grad()
def shift_gains(model: PhotoNetworks, shifts: tuple[float, ...]) -> None:
    """Adds numbers to the logarithm of the gains of stage 1, one for each slice of the prior."""
    groups = torch.tensor(model.prior.config.slices[1])
    gains = model.tokenizer.log_gain[1]
    gains.add_(torch.tensor(shifts).repeat_interleave(groups).to(gains.device))


@torch.no_grad()
def change_lambdas(model: PhotoNetworks, old: Lambdas, new: Lambdas) -> None:
    """Interpolates everything that depends on the level, so that each level gets what the model had for its new lambda:
    a start for further training. Beyond the old range gains are extrapolated, and the rest is that of its end."""
    levels = model.tokenizer.config.levels
    new_logs = new.at(torch.arange(float(levels)), levels).log()
    old_logs = old.at(torch.arange(float(levels)), levels).log()
    old_level = (new_logs - old_logs[0]) / (old_logs[1] - old_logs[0])
    for table in model.tokenizer.log_gain:
        table.copy_(interpolate_levels(table, old_level)[:, :, 0, 0])
    syntheses = [s for s in (model.tokenizer.synthesis, model.tokenizer.visual) if s is not None]
    rows = [m.rows for m in model.prior.modules() if isinstance(m, LevelTable)]
    filters = [s.post_filter for s in syntheses if s.post_filter is not None]
    for table in [*(part.level for part in (*syntheses, *filters)), *(t for r in rows for t in r.split(levels))]:
        table.copy_(interpolate_levels(table, old_level.clamp(0, levels - 1))[:, :, 0, 0])


@torch.no_grad()
def calibration_pass(model: PhotoNetworks, data: PhotoData, batches: int = 8) -> None:
    """Passes typical data through the float prior."""
    levels = model.tokenizer.config.levels
    for step in range(batches):
        rng = np.random.default_rng((data.seed, 0, step))
        pixels = random_crops(data.photographs, data.crop, data.batch, rng).to(data.device).float().div_(255)
        level = torch.linspace(0, levels - 1, data.batch, device=data.device)
        level = level + levels * (step % model.prior.config.tunes)
        bits_and_tokens(model.prior, model.tokenizer.ste_residuals(model.tokenizer.analysis(pixels), level), level)


def as_batch(picture: np.ndarray, device: torch.device) -> Tensor:
    """A picture uint8 (H, W, 3) -> (1, 3, H, W) in 0..1."""
    return torch.from_numpy(np.array(picture)).to(device).permute(2, 0, 1)[None].float().div(255)


def as_shown(decoded: Tensor) -> Tensor:
    """Pixels around 0..1, in the gray levels that a picture of 8 bits has."""
    return (decoded * 255).round().clamp(0, 255) / 255


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
