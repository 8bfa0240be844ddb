"""The rate of tokens under the prior's parameters, with gradients, and rate-distortion optimised rounding."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from imgcodec.priors.photo.tables import MAX_SCALE, MIN_WIDTH


def logistic_bits(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Bits of `values` (real numbers near integers) under a logistic distribution of width MIN_WIDTH * e^(2 scale),
    integrated over an interval of length 1 around each; all tensors of one shape, mean and scale in tokens.

    log(S(a) - S(b)) is taken as log S(a) + log S(-b) + log(1 - e^(b-a)), S the sigmoid: exact far out in the tails,
    where the difference itself underflows and has no gradient.
    """
    width = MIN_WIDTH * torch.exp(2 * _Bounded.apply(scale))
    distance = (values - mean).abs()
    upper, lower = (0.5 - distance) / width, (-0.5 - distance) / width
    nats = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log1p(-torch.exp(-1 / width).clamp(max=1 - 1e-6))
    return -nats / 0.6931471805599453


@torch.no_grad()
def rdo_quantize(values: Tensor, mean: Tensor, scale: Tensor, weight: float | Tensor) -> Tensor:
    """Real numbers -> integers, rounded as `RDOQuantizer` does: to the nearest, or to the next one towards 0 if that
    has the lower cost bits + weight * error^2. weight: see `slice_weight`; of one shape with the values, or broadcast.
    """
    nearest = values.round()
    if values.is_cuda:  # to look for what is not zero would wait for the GPU, which has time for all
        return torch.where(_is_cheaper(values, nearest, mean, scale, weight), nearest - nearest.sign(), nearest)
    nonzero = nearest != 0
    value, near, m, s = (t[nonzero] for t in (values, nearest, mean, scale))
    weights = weight.expand_as(values)[nonzero] if isinstance(weight, Tensor) else weight
    cheaper = _is_cheaper(value, near, m, s, weights)
    return nearest.masked_scatter(nonzero, torch.where(cheaper, near - near.sign(), near))


def _is_cheaper(values: Tensor, nearest: Tensor, mean: Tensor, scale: Tensor, weight: float | Tensor) -> Tensor:
    """Whether the next integer towards 0 costs less than the nearest one; not for a nearest one of 0."""
    towards_zero = nearest - nearest.sign()
    bits_saved = logistic_bits(nearest, mean, scale) - logistic_bits(towards_zero, mean, scale)
    error_added = (values - towards_zero).square() - (values - nearest).square()
    return bits_saved > weight * error_added


class _Bounded(torch.autograd.Function):
    """Clamps a scale to 0..MAX_SCALE. Outside that range only gradients that lead back into it pass: without them a
    scale could never return, and with all gradients it would drift away for ever."""

    @staticmethod
    def forward(ctx: Any, scale: Tensor) -> Tensor:
        ctx.save_for_backward(scale)
        return scale.clamp(0, MAX_SCALE)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (scale,) = ctx.saved_tensors
        outwards = ((scale < 0) & (gradient > 0)) | ((scale > MAX_SCALE) & (gradient < 0))
        return gradient.masked_fill(outwards, 0)
