"""The transforms between pixels and latents of stride 16, which `photo`, SNAC and BSQ have.

A transform is the sum of a linear path over blocks of 16x16 pixels, which starts as their Karhunen-Loeve transform, and
of a convolutional net whose last layer starts at zero. Nets have a part with stride 16 and a part with stride 8, in
this order in all tuples of widths and blocks.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.blocks import BLOCK, Box
from imgcodec.tokenizers.layers import ResidualBlock, cut, interpolate_levels, zero_init
from imgcodec.tokenizers.post_filter import PostFilter
from imgcodec.tokenizers.rvq_config import filter_halo, filter_reach


class Analysis(nn.Module):
    """Pixels (B, 3, H, W) in 0..1, H and W multiples of 16 -> latent (B, channels, H/16, W/16).

    kernel: of the second convolutions at stride 16. halo: latents beyond a tile's border that its latents depend on.
    """

    def __init__(self, channels: int, widths: tuple[int, int], blocks: tuple[int, int], kernel: int = 3) -> None:
        super().__init__()
        (coarse, fine), (coarse_blocks, fine_blocks) = widths, blocks
        self._coarse_halo, self._fine_layers = coarse_blocks * (1 + kernel // 2), 4 + fine_blocks
        self.halo = self._coarse_halo + fine_blocks
        self.linear = nn.Conv2d(3, channels, BLOCK, stride=BLOCK)
        self.net = nn.Sequential(
            nn.PixelUnshuffle(8),
            nn.Conv2d(3 * 64, fine, 1),
            *[ResidualBlock(fine, 3) for _ in range(fine_blocks)],
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * fine, coarse, 1),
            *[ResidualBlock(coarse, kernel) for _ in range(coarse_blocks)],
            zero_init(nn.Conv2d(coarse, channels, 1)),
        )

    def forward(self, pixels: Tensor, shown: Box | None = None) -> Tensor:
        """shown: the latents that are wanted, None for all; what they do not depend on is left out on the way."""
        x, inner = cut(self.net[: self._fine_layers](pixels - 0.5), shown, self._coarse_halo)
        x = self.net[self._fine_layers :](x)
        return cut(self.linear_path(pixels), shown, 0)[0] + cut(x, inner, 0)[0].float()

    def linear_path(self, pixels: Tensor) -> Tensor:
        """In float32 always: its precision is the ceiling of the whole codec."""
        with torch.autocast(pixels.device.type, enabled=False):
            return self.linear(pixels.float() - 0.5)


class Synthesis(nn.Module):
    """Latent (B, channels, h, w), and the level (B,) where there are levels -> pixels (B, 3, 16h, 16w), not clamped.

    kernel: of the second convolutions at stride 16. levels: of quality; each has a bias of its own, 0 at first.
    width_filter, filter_blocks: of the post filter, which needs levels; no width, no filter. halo: latents beyond a
    tile's border that its pixels depend on.
    """

    def __init__(
        self,
        channels: int,
        widths: tuple[int, int],
        blocks: tuple[int, int],
        kernel: int = 3,
        levels: int = 0,
        width_filter: int = 0,
        filter_blocks: int = 0,
    ) -> None:
        super().__init__()
        (coarse, fine), (coarse_blocks, fine_blocks) = widths, blocks
        self._fine_halo = fine_blocks + filter_halo(width_filter, filter_blocks)
        self._filter_reach = filter_reach(width_filter, filter_blocks)
        self.halo = coarse_blocks * (1 + kernel // 2) + self._fine_halo
        self.linear = nn.Conv2d(channels, 3 * BLOCK * BLOCK, 1)
        self.input_scale = nn.Parameter(torch.ones(channels))
        self.input = nn.Conv2d(channels, coarse, 1)
        if levels:
            self.level = nn.Parameter(torch.zeros(levels, coarse))
        self.coarse = nn.Sequential(*[ResidualBlock(coarse, kernel) for _ in range(coarse_blocks)])
        self.refine = zero_init(nn.Conv2d(coarse, channels, 1))
        self.fine = nn.Sequential(
            nn.Conv2d(coarse, 4 * fine, 1),
            nn.PixelShuffle(2),
            *[ResidualBlock(fine, 3) for _ in range(fine_blocks)],
            zero_init(nn.Conv2d(fine, 3 * 64, 1)),
            nn.PixelShuffle(8),
        )
        self.post_filter = PostFilter(width_filter, levels, filter_blocks) if width_filter else None

    def forward(self, latent: Tensor, level: Tensor | None = None, shown: Box | None = None) -> Tensor:
        """shown: the latents whose pixels are wanted, None for all; what these do not depend on is left out on the
        way."""
        pixels, inner = self._unfiltered(latent, level, shown)
        if self.post_filter is not None:
            pixels, inner = cut(pixels, inner, self._filter_reach)
            pixels = pixels + self.post_filter(pixels - 0.5, level)
        return cut(pixels, inner, 0)[0]

    def unfiltered(self, latent: Tensor, level: Tensor | None = None) -> Tensor:
        """As `forward`, before the post filter."""
        return self._unfiltered(latent, level, None)[0]

    def _unfiltered(self, latent: Tensor, level: Tensor | None, shown: Box | None) -> tuple[Tensor, Box | None]:
        """Pixels around what is shown, and its place in them."""
        latent, shown = cut(latent, shown, self.halo)
        x = self.input(latent * self.input_scale[:, None, None])
        if level is not None:
            x = x + interpolate_levels(self.level, level)
        x = self.coarse(x)
        refined, inner = cut(latent + self.refine(x), shown, self._fine_halo)
        x, _ = cut(x, shown, self._fine_halo)
        with torch.autocast(x.device.type, enabled=False):
            linear = F.pixel_shuffle(self.linear(refined.float()), BLOCK)
        return linear + self.fine(x) + 0.5, inner and in_pixels(inner)

    def reduced(self, latent: Tensor, reduction: int) -> Tensor:
        """Latent (B, channels, h, w) -> pixels (B, 3, 16h / reduction, 16w / reduction), not clamped; reduction divides
        16. They are the means over squares of `reduction` pixels of what the linear path gives, and leave the net out:
        40 to 57 dB from those of all pixels, at reductions of 8 and 16 (docs/log.md)."""
        side = BLOCK // reduction
        blocks = (3, side, reduction, side, reduction)
        weight = self.linear.weight.float().flatten(1).unflatten(0, blocks).mean((2, 4)).flatten(0, 2)
        bias = self.linear.bias
        assert bias is not None
        means = F.conv2d(
            latent.float(), weight[:, :, None, None], bias.float().unflatten(0, blocks).mean((2, 4)).flatten()
        )
        return F.pixel_shuffle(means, side) + 0.5


def in_pixels(latents: Box) -> Box:
    """The pixels of these latents."""
    top, left, bottom, right = (BLOCK * end for end in latents)
    return top, left, bottom, right
