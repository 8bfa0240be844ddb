"""The transforms between pixels and latents of stride 16: nets that `photo` has, too, and transforms of SNAC and BSQ,
which are those of `photo` without levels.

A transform is a linear path over blocks of 16x16 pixels, which starts as their Karhunen-Loeve transform, plus
convolutions that start as nothing.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.layers import ResidualBlock, zero_init

BLOCK = 16


def analysis_net(channels: int, widths: tuple[int, int], blocks: tuple[int, int], kernel: int) -> nn.Sequential:
    """Pixels (B, 3, H, W), H and W multiples of 16 -> (B, channels, H/16, W/16), nothing at first.

    widths, blocks: of the parts with stride 16 and 8. kernel: of the second convolutions at stride 16.
    """
    coarse, fine = widths
    return nn.Sequential(
        nn.PixelUnshuffle(8),
        nn.Conv2d(3 * 64, fine, 1),
        *[ResidualBlock(fine, 3) for _ in range(blocks[1])],
        nn.PixelUnshuffle(2),
        nn.Conv2d(4 * fine, coarse, 1),
        *[ResidualBlock(coarse, kernel) for _ in range(blocks[0])],
        zero_init(nn.Conv2d(coarse, channels, 1)),
    )


def fine_net(widths: tuple[int, int], blocks: int) -> nn.Sequential:
    """(B, widths[0], h, w) -> pixels (B, 3, 16h, 16w), nothing at first."""
    coarse, fine = widths
    return nn.Sequential(
        nn.Conv2d(coarse, 4 * fine, 1),
        nn.PixelShuffle(2),
        *[ResidualBlock(fine, 3) for _ in range(blocks)],
        zero_init(nn.Conv2d(fine, 3 * 64, 1)),
        nn.PixelShuffle(8),
    )


class BlockAnalysis(nn.Module):
    """Pixels (B, 3, H, W) in 0..1, H and W multiples of 16 -> latent (B, channels, H/16, W/16), the first `linear`
    channels of it linear path and net, the others net alone.

    widths, blocks: of the parts with stride 16 and 8.
    """

    def __init__(self, linear: int, channels: int, widths: tuple[int, int], blocks: tuple[int, int]) -> None:
        super().__init__()
        self.linear = nn.Conv2d(3, linear, BLOCK, stride=BLOCK)
        self.net = analysis_net(channels, widths, blocks, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.autocast(pixels.device.type, enabled=False):  # its precision is the ceiling of what is decoded
            linear = self.linear(pixels.float() - 0.5)
        net = self.net(pixels - 0.5).float()
        return F.pad(linear, (0, 0, 0, 0, 0, net.shape[1] - linear.shape[1])) + net


class BlockSynthesis(nn.Module):
    """Latent (B, channels, h, w) -> pixels (B, 3, 16h, 16w), not clamped."""

    def __init__(self, channels: int, widths: tuple[int, int], blocks: tuple[int, int]) -> None:
        super().__init__()
        coarse = widths[0]
        self.linear = nn.Conv2d(channels, 3 * BLOCK * BLOCK, 1)
        self.input_scale = nn.Parameter(torch.ones(channels))
        self.input = nn.Conv2d(channels, coarse, 1)
        self.coarse = nn.Sequential(*[ResidualBlock(coarse, 3) for _ in range(blocks[0])])
        self.refine = zero_init(nn.Conv2d(coarse, channels, 1))
        self.fine = fine_net(widths, blocks[1])

    def forward(self, latent: Tensor) -> Tensor:
        x = self.coarse(self.input(latent * self.input_scale[:, None, None]))
        refined = latent + self.refine(x)
        with torch.autocast(x.device.type, enabled=False):
            linear = F.pixel_shuffle(self.linear(refined.float()), BLOCK)
        return linear + self.fine(x) + 0.5
