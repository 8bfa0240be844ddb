"""A picture as a vector of integers, and another picture that shows the same, drawn by diffusion. Pure modules.

    pixels ─► encoder ─► vector ─► quantizer ─► integers ─► vector ─┬─► thumbnail, enlarged ──────────────┐
                                                                    └─► noise ─► what it looks like ─► + ─► pixels
                                                                             the U-Net, step by step

What is drawn is the difference to the enlarged thumbnail: so colours and layout are those of the vector from the first
step on, and the network has only to make up what is missing. An upscaler may make the pixels four times as many.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.blocks import MAX_BLOCKS, MAX_WIDTH
from imgcodec.tokenizers.clip import ClipEncoder
from imgcodec.tokenizers.diffusion import NoiseScheduler, ddim
from imgcodec.tokenizers.features import AffineQuantizer, FeatureEncoder
from imgcodec.tokenizers.unet import CLIPCondUNet
from imgcodec.tokenizers.upscaler import FACTOR, Upscaler, UpscalerConfig

Encoder = FeatureEncoder | ClipEncoder

MOST = 6.0  # deviations: what is drawn is hardly ever more, and a first guess through pure noise often is
MAP_SIDE = 8  # positions of the map that is made of a vector


@dataclass(frozen=True)
class DecoderConfig:
    """side: pixels of the square that is drawn. patch: pixels, across and down, that are one position of the network;
    a larger one is cheaper. base, ch_mult, blocks, condition: of the network (`CLIPCondUNet`). map_channels: of a map
    of 8 x 8 positions that is made of the vector, for vectors that have no thumbnail. steps, schedule: of the noise."""

    side: int = 64
    patch: int = 4
    base: int = 128
    ch_mult: tuple[int, ...] = (1, 2, 2)
    blocks: int = 1
    condition: int = 256
    map_channels: int = 0
    steps: int = 1000
    schedule: str = "cosine"

    def __post_init__(self) -> None:
        if (
            self.patch < 1
            or self.side < 1
            or self.side % self.patch
            or self.side // self.patch < 2 ** (len(self.ch_mult) - 1)
        ):
            raise ValueError("side must be a multiple of patch, and have a position for each level")
        if self.blocks > MAX_BLOCKS or self.base * max(self.ch_mult, default=1) > MAX_WIDTH:
            raise ValueError(f"a decoder is at most {MAX_WIDTH} wide and has at most {MAX_BLOCKS} blocks of each level")


class DiffusionDecoder(nn.Module):
    """Vectors to pictures. dim: numbers in a vector. spread: the deviation of what is drawn, in pixels of 0..1."""

    spread: Tensor

    def __init__(self, config: DecoderConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.noise = NoiseScheduler(config.steps, config.schedule)
        numbers = 3 * config.patch**2
        self.unet = CLIPCondUNet(
            2 * numbers + config.map_channels, numbers, dim, config.base, config.ch_mult, config.blocks,
            config.condition,
        )  # fmt: skip
        self.map = nn.Linear(dim, config.map_channels * MAP_SIDE**2) if config.map_channels else None
        self.register_buffer("spread", torch.full((1,), 0.5))

    def hint(self, thumbnail: Tensor | None, count: int) -> Tensor:
        """What `count` pictures are known to look like, (count, 3, side, side) in 0..1: the enlarged thumbnails; gray
        where there are none."""
        side = self.config.side
        if thumbnail is None:
            return self.spread.new_full((count, 3, side, side), 0.5)
        return F.interpolate(thumbnail, (side, side), mode="bicubic", antialias=True).clamp(0, 1)

    def predict(self, x: Tensor, times: Tensor, vector: Tensor, hint: Tensor) -> Tensor:
        """The noise in x, (B, 3, side, side), at times (B,).

        The network's own output is the velocity (Salimans and Ho 2022). Of noise it would have to give back nearly all
        of x where little of the picture is kept, and its smallest error there would be any picture at all.
        """
        parts = [F.pixel_unshuffle(x, self.config.patch), F.pixel_unshuffle(2 * hint - 1, self.config.patch)]
        if self.map is not None:
            rough = self.map(vector).reshape(len(x), -1, MAP_SIDE, MAP_SIDE)
            parts.append(F.interpolate(rough, parts[0].shape[2:], mode="bilinear").to(x.dtype))
        velocity = F.pixel_shuffle(self.unet(torch.cat(parts, 1), times, vector), self.config.patch)
        kept = self.noise.kept.to(x.device)[times][:, None, None, None]
        return (1 - kept).sqrt() * x + kept.sqrt() * velocity

    def to_difference(self, pixels: Tensor, hint: Tensor) -> Tensor:
        """Pixels in 0..1 -> what is drawn, of a deviation of about 1."""
        return (pixels - hint) / self.spread

    def to_pixels(self, difference: Tensor, hint: Tensor) -> Tensor:
        """The inverse of `to_difference`, within 0..1."""
        return (hint + difference.clamp(-MOST, MOST) * self.spread).clamp(0, 1)

    def draw(
        self, vector: Tensor, thumbnail: Tensor | None, steps: int, eta: float, guidance: float, seed: int
    ) -> Iterator[Tensor]:
        """Pictures (B, 3, side, side) in 0..1, as they look after each step. guidance: how much more the vector counts
        than it was trained for; 1 for no more. seed: of the noise."""
        generator = torch.Generator().manual_seed(seed)
        hint = self.hint(thumbnail, len(vector))
        start = torch.randn((len(vector), *hint.shape[1:]), generator=generator).to(vector.device)

        def predict(x: Tensor, times: Tensor) -> Tensor:
            noise = self.predict(x, times, vector, hint)
            if guidance == 1:
                return noise
            without = self.predict(x, times, torch.zeros_like(vector), hint)
            return without + guidance * (noise - without)

        def limit(difference: Tensor) -> Tensor:
            return self.to_difference(self.to_pixels(difference, hint), hint)

        for difference in ddim(self.noise, predict, limit, start, steps, eta, generator):
            yield self.to_pixels(difference, hint)


class SemanticTokenizer(nn.Module):
    """Encoder, quantizer and decoder that belong together, and perhaps an upscaler."""

    def __init__(self, encoder: Encoder, config: DecoderConfig, upscaler: UpscalerConfig | None = None) -> None:
        super().__init__()
        self.encoder: Encoder = encoder
        self.quantizer = AffineQuantizer(encoder.dim)
        self.decoder = DiffusionDecoder(config, encoder.dim)
        self.upscaler = None if upscaler is None else Upscaler(upscaler)

    @property
    def largest_side(self) -> int:
        """Pixels of the square that is drawn, after the upscaler if there is one."""
        return self.decoder.config.side * (1 if self.upscaler is None else FACTOR)
