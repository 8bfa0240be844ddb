"""Ideal code length of tokens under the prior's parameters, differentiable."""

import torch
from torch import Tensor
from torch.nn import functional as F

from imgcodec.priors.tables import LARGEST_SCALE, SMALLEST_WIDTH


def logistic_bits(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Bits of `values` (real numbers near integers) under a logistic distribution of width SMALLEST_WIDTH * e^(2 scale)
    integrated over intervals of length 1 around the integers.

    log(S(a) - S(b)) is taken as log S(a) + log S(-b) + log(1 - e^(b-a)), S the sigmoid: exact far out in the tails,
    where the difference itself has underflowed and has no gradient.
    """
    scale = scale + (scale.clamp(0, LARGEST_SCALE) - scale).detach()
    width = SMALLEST_WIDTH * torch.exp(2 * scale.clamp(-1, LARGEST_SCALE + 1))
    distance = (values - mean).abs()
    upper, lower = (0.5 - distance) / width, (-0.5 - distance) / width
    nats = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log1p(-torch.exp(-1 / width).clamp(max=1 - 1e-6))
    return -nats / 0.6931471805599453
