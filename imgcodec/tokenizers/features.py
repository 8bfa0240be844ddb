"""One vector for a whole picture: where its colours are, and what it shows. Pure modules.

                     mean of 3 x 3 ──► thumbnail ──► KLT ─────────────────────► layout ──┐
    pixels, 96 x 96 ─┤                                                                   ├─► unit vector ──► integers
                     └──────────────► residual convolutions ──► unit vector ► meaning ──┘

The layout is the Karhunen-Loeve transform of a thumbnail, so the vector gives the thumbnail back by a matrix product;
the meaning is learned. The meaning has length 1 before both are scaled to one vector of length 1, so that the length of
the layout is not lost: it follows from what is left of 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.blocks import MAX_BLOCKS, MAX_WIDTH
from imgcodec.tokenizers.init import principal_directions

LEVELS = 255
"""Integers that a number of the vector becomes: 0 to 254, 127 for its mean."""
ZERO = LEVELS // 2
GROUP = 16  # channels that are normalised together


@dataclass(frozen=True)
class FeatureConfig:
    """side: pixels of the square that is looked at, a multiple of `thumbnail`. thumbnail: pixels of the square whose
    KLT is the layout. layout, meaning: numbers in the vector. widths, blocks: channels and residual blocks of each
    level of the net, which halves the one before. search_layout: the weight of the layout in a search, 1 for as much as
    the meaning."""

    side: int = 96
    thumbnail: int = 32
    layout: int = 320
    meaning: int = 192
    widths: tuple[int, ...] = (64, 128, 256, 256)
    blocks: tuple[int, ...] = (1, 2, 2, 1)
    search_layout: float = 0.25

    def __post_init__(self) -> None:
        if self.thumbnail < 1 or self.side < 1 or self.side % self.thumbnail or self.side % self.smallest:
            raise ValueError(f"side must be a multiple of thumbnail and of {self.smallest}")
        if not self.widths or len(self.widths) != len(self.blocks) or any(w < 1 or w % GROUP for w in self.widths):
            raise ValueError(f"there must be a number of blocks for each of the widths, multiples of {GROUP}")
        if max(self.widths) > MAX_WIDTH or not all(0 <= count <= MAX_BLOCKS for count in self.blocks):
            raise ValueError(
                f"an encoder is at most {MAX_WIDTH} wide and has at most {MAX_BLOCKS} blocks of each width"
            )
        if not 1 <= self.layout <= 3 * self.thumbnail**2 or self.meaning < 1:
            raise ValueError("layout must be at most the numbers of the thumbnail, and meaning at least 1")

    @property
    def dim(self) -> int:
        """Numbers in the vector."""
        return self.layout + self.meaning

    @property
    def smallest(self) -> int:
        """Pixels for a position of the coarsest level."""
        return 4 * 2 ** (len(self.widths) - 1)


class ResidualBlock(nn.Module):
    """x + two convolutions of it; no change at all before training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(width // GROUP, width), nn.GroupNorm(width // GROUP, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


class FeatureEncoder(nn.Module):
    """See the top of this file. linear: rows, orthonormal axes of thumbnails, those with most variance first. unit: the
    length of a typical layout, in pixels of 0..1."""

    mean: Tensor
    linear: Tensor
    unit: Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        size = 3 * config.thumbnail**2
        self.register_buffer("mean", torch.full((size,), 0.5))
        self.register_buffer("linear", torch.zeros(config.layout, size))
        self.register_buffer("unit", torch.ones(1))
        layers: list[nn.Module] = []
        before = 3
        for level, (width, count) in enumerate(zip(config.widths, config.blocks, strict=True)):
            stride = 2 if level else 4
            layers += [nn.Conv2d(before, width, stride, stride), *(ResidualBlock(width) for _ in range(count))]
            before = width
        self.net = nn.Sequential(*layers, nn.GroupNorm(before // GROUP, before), nn.SiLU())
        self.head = nn.Linear(before, config.meaning, bias=False)

    @property
    def side(self) -> int:
        """Pixels of the square that it takes."""
        return self.config.side

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return self.config.dim

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, side, side) in 0..1 -> unit vectors (B, dim)."""
        layout = self.small(pixels).flatten(1).sub(self.mean) @ self.linear.T / self.unit
        meaning = F.normalize(self.head(self.net((pixels - 0.5) * 4).mean((2, 3)).float()), dim=1)
        return torch.cat([layout, meaning], 1) / (1 + layout.square().sum(1, keepdim=True)).sqrt()

    def thumbnail(self, vector: Tensor) -> Tensor:
        """Vectors (B, dim) -> the thumbnails in them, (B, 3, n, n) in about 0..1."""
        layout = vector[:, : self.config.layout].float()
        # 1 is at most what the meaning's part can be; a quantized vector may leave a little less than nothing
        layout = layout / (1 - layout.square().sum(1, keepdim=True)).clamp(min=1e-3).sqrt()
        side = self.config.thumbnail
        return (layout * self.unit @ self.linear + self.mean).reshape(-1, 3, side, side)

    def search_vector(self, vector: Tensor) -> Tensor:
        """Vectors (B, dim) -> unit vectors (B, dim) whose inner products rank the results of a search."""
        layout, meaning = vector.float().split([self.config.layout, self.config.meaning], 1)
        weighted = [F.normalize(layout, dim=1) * self.config.search_layout**0.5, F.normalize(meaning, dim=1)]
        return F.normalize(torch.cat(weighted, 1), dim=1)

    @torch.no_grad()
    def init_from_data(self, thumbnails: Tensor) -> None:
        """The Karhunen-Loeve transform of thumbnails, (B, 3, n, n) in 0..1, as `small` makes them, and of their mirror
        images."""
        both = torch.cat([thumbnails, thumbnails.flip(3)]).flatten(1)
        self.mean.copy_(both.mean(0))
        centred = both - self.mean
        self.linear.copy_(principal_directions(centred, self.config.layout))
        self.unit.copy_((centred @ self.linear.T).square().sum(1).mean().sqrt().clamp(min=1e-3))

    def small(self, pixels: Tensor) -> Tensor:
        """(B, 3, side, side) in 0..1 -> their thumbnails, (B, 3, n, n)."""
        return F.avg_pool2d(pixels.float(), self.config.side // self.config.thumbnail)


class AffineQuantizer(nn.Module):
    """Each number of a vector to one of 255 levels, `scale` apart, of which the middle one is `offset`."""

    scale: Tensor
    offset: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("offset", torch.zeros(dim))

    def quantize(self, vector: Tensor) -> Tensor:
        """Vectors (B, dim) -> levels 0 to 254, int64 (B, dim)."""
        return ((vector.float() - self.offset) / self.scale).round().clamp(-ZERO, ZERO).long() + ZERO

    def dequantize(self, levels: Tensor) -> Tensor:
        """Levels (B, dim) -> vectors, float32. One product and one sum, each rounded once: the same everywhere."""
        return (levels.float() - ZERO) * self.scale + self.offset
