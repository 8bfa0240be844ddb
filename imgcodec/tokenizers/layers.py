"""Layers of the transforms."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.blocks import Box


class ResidualBlock(nn.Module):
    """`x + conv(relu(conv(x)))`, the first convolution 3x3, the second `kernel` x `kernel`.

    Dense 3x3 convolutions, not depthwise ones: on CPUs they reach five times the arithmetic rate, so a narrow
    dense block costs less time than a wide separable one of the same quality.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = zero_init(nn.Conv2d(width, width, kernel, padding=kernel // 2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


def zero_init(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights and bias at zero: a net that ends in it adds nothing at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def interpolate_levels(table: Tensor, level: Tensor) -> Tensor:
    """Rows of `table` (levels, channels) at fractional `level` (batch,), as (batch, channels, 1, 1); extrapolated
    beyond the ends."""
    low = level.floor().clamp(0, len(table) - 2).long()
    fraction = (level - low)[:, None]
    rows = torch.lerp(table[low], table[low + 1], fraction)
    return rows[:, :, None, None]


def cut(x: Tensor, shown: Box | None, reach: int) -> tuple[Tensor, Box | None]:
    """A map (B, C, H, W) -> what of it lies around `shown` up to so many positions, and the place of `shown` in that.
    None: all of it is shown, and nothing is cut."""
    if shown is None:
        return x, None
    top, left, bottom, right = shown
    above, before = max(0, top - reach), max(0, left - reach)
    x = x[:, :, above : bottom + reach, before : right + reach]
    return x, (top - above, left - before, bottom - above, right - before)


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of `hard` with the gradient of `soft` (Bengio et al. 2013)."""
    return soft + (hard - soft).detach()
