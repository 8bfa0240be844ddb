"""Ideal code length of tokens under the prior's parameters, differentiable."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from imgcodec.priors.photo.tables import LARGEST_SCALE, SMALLEST_WIDTH


def logistic_bits(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Bits of `values` (real numbers near integers) under a logistic distribution of width SMALLEST_WIDTH * e^(2 scale)
    integrated over intervals of length 1 around the integers.

    log(S(a) - S(b)) is taken as log S(a) + log S(-b) + log(1 - e^(b-a)), S the sigmoid: exact far out in the tails,
    where the difference itself has underflowed and has no gradient.
    """
    width = SMALLEST_WIDTH * torch.exp(2 * _Bounded.apply(scale))
    distance = (values - mean).abs()
    upper, lower = (0.5 - distance) / width, (-0.5 - distance) / width
    nats = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log1p(-torch.exp(-1 / width).clamp(max=1 - 1e-6))
    return -nats / 0.6931471805599453


@torch.no_grad()
def choose_tokens(values: Tensor, mean: Tensor, scale: Tensor, weight: float) -> Tensor:
    """Real numbers -> integers, as an encoder that minds the rate rounds them.

    weight: see `imgcodec.priors.photo.rdoq`.
    """
    nearest = values.round()
    large = nearest != 0
    value, near, m, s = (t[large] for t in (values, nearest, mean, scale))
    nearer_zero = near - near.sign()
    saved = logistic_bits(near, m, s) - logistic_bits(nearer_zero, m, s)
    lost = weight * ((value - nearer_zero).square() - (value - near).square())
    return nearest.masked_scatter(large, torch.where(saved > lost, nearer_zero, near))


class _Bounded(torch.autograd.Function):
    """Clamps a scale to 0..LARGEST_SCALE. Out of that range, only a gradient that leads back in passes: without one it
    could never come back, and with all of them it would drift off for ever."""

    @staticmethod
    def forward(ctx: Any, scale: Tensor) -> Tensor:
        ctx.save_for_backward(scale)
        return scale.clamp(0, LARGEST_SCALE)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (scale,) = ctx.saved_tensors
        outwards = ((scale < 0) & (gradient > 0)) | ((scale > LARGEST_SCALE) & (gradient < 0))
        return gradient.masked_fill(outwards, 0)
