"""Bits of tokens under a prior in floating point, with gradients, and the tokens that the encoder would choose."""

from collections.abc import Sequence

import torch
from torch import Tensor

from imgcodec.priors.photo.rate import logistic_bits, rdo_quantize
from imgcodec.priors.photo.rdoq import slice_weight
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.priors.photo.windows import checkerboard_half, join_slices
from imgcodec.profiles.photo.masking import importance
from imgcodec.tokenizers.layers import straight_through
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.photo.networks import PhotoNetworks


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
    with torch.set_grad_enabled(torch.is_grad_enabled() and trains == "all"):
        latent = tokenizer.analysis.linear_path(pixels) if linear_analysis else tokenizer.analysis(pixels)
        values = tokenizer.ste_residuals(latent, level)
    weight = error_weight(tokenizer, latent, values[1], level)
    with torch.set_grad_enabled(torch.is_grad_enabled() and trains != "synthesis"):
        bits, tokens = bits_and_tokens(prior, values, level, noisy=noisy, error_weight=weight)
    error = torch.zeros_like(level)
    if trains in ("all", "synthesis"):
        decoded = tokenizer.synthesis(tokenizer.dequantize_lattice(tokens, level), level)
        error = (decoded.float() - pixels).square().mean((1, 2, 3))
    return bits, error


@torch.no_grad()
def error_weight(tokenizer: ResidualVQ, latent: Tensor, values: Tensor, level: Tensor) -> Tensor:
    """Latent (B, C, h, w), what becomes tokens of stage 1 (B, C, h, w) and level (B,) -> the weight that the encoder
    gives to a squared error at each position, (B, 1, h, w)."""
    if not tokenizer.config.visual:
        return torch.ones_like(values[:, :1])
    weight = importance(tokenizer, latent, values, level)[:, None]
    return torch.where((level < tokenizer.config.levels)[:, None, None, None], 1, weight)


def bits_and_tokens(
    prior: PhotoPrior,
    values: Sequence[Tensor],
    level: Tensor,
    rounds: bool = True,
    noisy: bool = False,
    error_weight: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Values of both stages (B, groups, h, w), centred, and level (B,) -> the bits (B,) of their tokens, and the
    tokens.

    rounds: values of stage 1 are real numbers, to be rounded as the encoder rounds them (`imgcodec.priors.photo.rdoq`),
    with gradients straight through; otherwise they are tokens. noisy: see `PhotoPhase`. error_weight: of squared errors
    at each position, (B, 1, h, w); None for 1 everywhere.
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
            weight: float | Tensor = slice_weight(first, groups, values[stage].shape[1])
            if error_weight is not None:
                weight = weight * checkerboard_half(error_weight, parity)
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


def bits_of_choice(values: Tensor, parameters: Tensor, weight: float | Tensor, noisy: bool) -> tuple[Tensor, Tensor]:
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


def bits_and_latent(model: PhotoNetworks, pixels: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels (B, 3, H, W) in 0..1 and level (B,), of either tune -> the bits (B,) of the tokens that the encoder
    chooses, and the latent that a decoder has."""
    tokenizer = model.tokenizer
    latent = tokenizer.analysis(pixels)
    values = tokenizer.ste_residuals(latent, level)
    weight = error_weight(tokenizer, latent, values[1], level)
    bits, tokens = bits_and_tokens(model.prior, values, level, error_weight=weight)
    return bits, tokenizer.dequantize_lattice(tokens, level)


def decoded_latent(model: PhotoNetworks, pixels: Tensor, level: Tensor) -> Tensor:
    """As `bits_and_latent`, the latent alone."""
    return bits_and_latent(model, pixels, level)[1]
