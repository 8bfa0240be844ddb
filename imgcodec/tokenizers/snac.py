"""SNAC for images: residual vector quantization at several strides (Siuzdak et al. 2024, there for sound).

      pixels ──► analysis ──► latent, stride 16
                                │
         stage 0, stride 128    ├─► mean over 8x8 ─► in ─► nearest of 4096 directions ─► out ─► repeated 8x8 ──┐
         stage 1, stride 64     ├─► rest, mean over 4x4 ─► ...                                               ─►+
         stage 2, stride 32     ├─► rest, mean over 2x2 ─► ...                                               ─►+
         stage 3, stride 16     └─► rest                ─► ...                                               ─►+
                                                                                                               │
      pixels ◄── synthesis ◄───────────────────────────────────────────────────────────────────────────────────┘

Any number of first stages decodes to a picture.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.bitstream.errors import UsageError
from imgcodec.tokenizers.init import block_basis, start_quantizer, start_transforms
from imgcodec.tokenizers.protocol import Losses
from imgcodec.tokenizers.quantizers import VectorQuantizer, sum_of_losses
from imgcodec.tokenizers.transforms import BLOCK, BlockAnalysis, BlockSynthesis

LARGEST_CODES = 2**18
LARGEST_WIDTH = 2**12
MOST_BLOCKS = 64
MOST_STAGES = 8


@dataclass(frozen=True)
class SNACConfig:
    """vq_strides: how many latents wide and high a token of each stage is, each a multiple of the next. widths: of the
    convolutions at strides 16 and 8; blocks: how many of them, likewise."""

    latent_dim: int = 48
    codebook_size: int = 4096
    codebook_dim: int = 8
    vq_strides: tuple[int, ...] = (8, 4, 2, 1)
    widths: tuple[int, int] = (96, 48)
    analysis_blocks: tuple[int, int] = (1, 1)
    synthesis_blocks: tuple[int, int] = (2, 2)

    def __post_init__(self) -> None:
        if not 1 <= len(self.vq_strides) <= MOST_STAGES or min(self.vq_strides) < 1 or max(self.vq_strides) > 64:
            raise ValueError(f"there may be 1 to {MOST_STAGES} stages, of 1 to 64 latents each way")
        if any(a % b for a, b in zip(self.vq_strides, self.vq_strides[1:], strict=False)):
            raise ValueError("each of vq_strides must be a multiple of the next")
        if not 2 <= self.codebook_size <= LARGEST_CODES or not 2 <= self.codebook_dim <= 64:
            raise ValueError(f"a codebook may have 2 to {LARGEST_CODES} codes of 2 to 64 dimensions")
        if min(self.latent_dim, *self.widths) < 1 or max(self.latent_dim, *self.widths) > LARGEST_WIDTH:
            raise ValueError(f"latents and layers may be 1 to {LARGEST_WIDTH} wide")
        blocks = self.analysis_blocks + self.synthesis_blocks
        if min(blocks) < 0 or max(blocks) > MOST_BLOCKS:
            raise ValueError(f"a transform may have {MOST_BLOCKS} blocks of each kind")


class SNAC(nn.Module):
    """A `RasterTokenizer` of several stages."""

    def __init__(self, config: SNACConfig) -> None:
        super().__init__()
        self.config = config
        self.strides = tuple(BLOCK * s for s in config.vq_strides)
        self.codes = config.codebook_size
        self.scales: tuple[int, ...] = (1,)
        dim = config.latent_dim
        self.analysis = BlockAnalysis(dim, dim, config.widths, config.analysis_blocks)
        self.synthesis = BlockSynthesis(dim, config.widths, config.synthesis_blocks)
        self.quantizers = nn.ModuleList(
            VectorQuantizer(dim, config.codebook_size, config.codebook_dim) for _ in config.vq_strides
        )

    def encode(self, pixels: Tensor) -> list[Tensor]:
        rest = self.analysis(pixels)
        tokens = []
        for stride, quantizer in self._stages():
            tokens.append(quantizer.encode(F.avg_pool2d(rest, stride)))
            rest = rest - _repeat(quantizer.lookup(tokens[-1]), stride)
        return tokens

    def decode(self, tokens: list[Tensor], scale: int = 1) -> Tensor:
        if scale != 1:
            raise UsageError(f"SNAC decodes to the size of the picture only, not {scale} times it.")
        return self.synthesis(self.dequantize(tokens))

    def dequantize(self, tokens: list[Tensor]) -> Tensor:
        """Tokens of the first stages, at least one -> latent (B, latent_dim, h, w), stride 16."""
        parts = zip(self._stages(), tokens, strict=False)
        return torch.stack([_repeat(quantizer.lookup(t), stride) for (stride, quantizer), t in parts]).sum(0)

    def code_vectors(self) -> list[Tensor]:
        """What each code stands for, by stage: (codes, latent_dim)."""
        return [quantizer.code_vectors() for _, quantizer in self._stages()]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        rest = self.analysis(pixels)
        latent, losses = torch.zeros_like(rest), []
        for stride, quantizer in self._stages():
            values, _, loss = quantizer(F.avg_pool2d(rest, stride))
            values = _repeat(values, stride)
            latent, rest = latent + values, rest - values
            losses.append(loss)
        return self.synthesis(latent), sum_of_losses(losses)

    def revive(self) -> int:
        """Puts codewords unused since the last call where latents are; see `VectorQuantizer`. How many there were."""
        return sum(quantizer.revive() for _, quantizer in self._stages())

    @torch.no_grad()
    def start_from(self, crops: Tensor) -> None:
        """Sets linear paths, projections and codebooks from pixels (N, 3, H, W) in 0..1: from a few hundred crops of
        256 x 256 on, what comes out is a picture before anything is trained."""
        start_transforms(self.analysis.linear, self.synthesis.linear, block_basis(crops, BLOCK, self.config.latent_dim))
        rest = torch.cat([self.analysis(piece) for piece in crops.split(32)])
        self.synthesis.input_scale.copy_(1 / (rest.std((0, 2, 3)) + 0.1))
        for stride, quantizer in self._stages():
            # Means at places between those of the grid, too: there are few of a coarse stage in a crop.
            samples = F.avg_pool2d(rest, stride, stride=max(1, stride // 4)).movedim(1, 3).flatten(0, 2)
            start_quantizer(quantizer, samples)
            values = torch.cat([quantizer.lookup(quantizer.encode(p)) for p in F.avg_pool2d(rest, stride).split(32)])
            rest = rest - _repeat(values, stride)

    def _stages(self) -> list[tuple[int, VectorQuantizer]]:
        return list(zip(self.config.vq_strides, self.quantizers, strict=True))  # type: ignore[arg-type]


def _repeat(x: Tensor, times: int) -> Tensor:
    return F.interpolate(x, scale_factor=times, mode="nearest") if times > 1 else x
