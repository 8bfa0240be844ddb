"""A net that enlarges drawn pictures to twice their sides. A pure module.

    pixels ─┬─► bicubic filter, times 2 ──► + ─► pixels
            └─► residual blocks ──► 2 x 2 ──┘

The bicubic filter smooths edges that a picture of twice the size has; the net learns from photographs what is missing
(residual blocks without normalisation as in EDSR, Lim et al. 2017, and 2 x 2 pixels from each as in ESPCN, Shi et al.
2016).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.blocks import MAX_BLOCKS, MAX_WIDTH
from imgcodec.tokenizers.layers import ResidualBlock, zero_init

FACTOR = 2


@dataclass(frozen=True)
class UpscalerConfig:
    """width: channels. blocks: residual blocks."""

    width: int = 32
    blocks: int = 6

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH or not 0 <= self.blocks <= MAX_BLOCKS:
            raise ValueError(f"an upscaler is 1 to {MAX_WIDTH} wide and has at most {MAX_BLOCKS} blocks")


class Upscaler(nn.Module):
    """Pixels (B, 3, H, W) in 0..1 -> (B, 3, 2H, 2W) in 0..1. It begins as the bicubic filter."""

    def __init__(self, config: UpscalerConfig) -> None:
        super().__init__()
        self.config = config
        self.net = nn.Sequential(
            nn.Conv2d(3, config.width, 3, padding=1),
            *[ResidualBlock(config.width, 3) for _ in range(config.blocks)],
            nn.ReLU(),
            zero_init(nn.Conv2d(config.width, 3 * FACTOR**2, 3, padding=1)),
            nn.PixelShuffle(FACTOR),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        larger = F.interpolate(pixels, scale_factor=FACTOR, mode="bicubic")
        found: Tensor = larger + self.net(2 * pixels - 1)
        # while it learns, what is outside of 0..1 must have a gradient
        return found if torch.is_grad_enabled() else found.clamp(0, 1)
