"""The network that sees the noise in a picture, told by a vector what the picture shows. A pure module.

A U-Net (Ronneberger et al. 2015) of residual blocks; vector and time scale and shift the channels of each (FiLM, Perez
et al. 2018).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.init import set_conv

GROUP = 16  # channels that are normalised together
TIME = 128  # numbers that stand for a time


class FiLMBlock(nn.Module):
    """Two convolutions beside a skip connection, between them channels that the condition scales and shifts."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(inputs // GROUP, inputs), nn.GroupNorm(outputs // GROUP, outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.film = nn.Linear(condition, 2 * outputs)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        y = self.norm2(self.conv1(F.silu(self.norm1(x)))) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(y))


class CLIPCondUNet(nn.Module):
    """(x (B, inputs, H, W), times (B,), vectors (B, dim)) -> (B, outputs, H, W).

    base: channels of the finest level; ch_mult: those of each level, in units of `base`. blocks: residual blocks of a
    level, on the way down and on the way up. condition: numbers that tell the blocks of vector and time. Raises
    ValueError for channels that are not multiples of 16.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        dim: int,
        base: int = 128,
        ch_mult: tuple[int, ...] = (1, 2, 2),
        blocks: int = 1,
        condition: int = 256,
    ) -> None:
        super().__init__()
        widths = [base * factor for factor in ch_mult]
        if not widths or any(w < GROUP or w % GROUP for w in widths) or blocks < 1 or condition < 1:
            raise ValueError(f"channels must be multiples of {GROUP}, and there must be levels and blocks")
        self.time = nn.Sequential(nn.Linear(TIME, condition), nn.SiLU(), nn.Linear(condition, condition))
        self.vector = nn.Linear(dim, condition)
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        before = widths[0]
        for level, width in enumerate(widths):
            # halving comes first on all levels but the finest
            self.shrink.append(nn.Conv2d(before, width, 2, 2) if level else nn.Identity())
            self.down.append(nn.ModuleList(FiLMBlock(width, width, condition) for _ in range(blocks)))
            before = width
        self.middle = FiLMBlock(before, before, condition)
        self.up = nn.ModuleList()
        for width in reversed(widths):
            level_blocks = nn.ModuleList()
            for _ in range(blocks):
                level_blocks.append(FiLMBlock(before + width, width, condition))
                before = width
            self.up.append(level_blocks)
        self.norm, self.last = nn.GroupNorm(before // GROUP, before), nn.Conv2d(before, outputs, 3, padding=1)
        set_conv(self.last, torch.zeros_like(self.last.weight), torch.zeros(outputs))

    def forward(self, x: Tensor, times: Tensor, vectors: Tensor) -> Tensor:
        condition = F.silu(self.time(sinusoids(times)) + self.vector(vectors))
        x = self.stem(x)
        skips = []
        for shrink, blocks in zip(self.shrink, self.down, strict=True):
            x = shrink(x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, condition)
                skips.append(x)
        x = self.middle(x, condition)
        for blocks in self.up:
            for block in blocks:  # type: ignore[attr-defined]
                beside = skips.pop()
                if beside.shape[2:] != x.shape[2:]:
                    x = F.interpolate(x, size=beside.shape[2:], mode="nearest")
                x = block(torch.cat([x, beside], 1), condition)
        return self.last(F.silu(self.norm(x)))


def sinusoids(times: Tensor) -> Tensor:
    """Times (B,), 0 to some thousands -> (B, 128): sines and cosines of falling frequencies (Vaswani et al. 2017)."""
    rates = torch.exp(torch.arange(TIME // 2, device=times.device) * (-math.log(10000) / (TIME // 2)))
    angles = times.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
