"""SNAC for images: residual vector quantization at several strides (Siuzdak et al. 2024, there for sound).

      pixels ──► analysis ──► latent, stride 16
                                │
         stage 0, stride 128    ├─► mean over 8x8 ─► in ─► nearest of 4096 directions ─► out ─► repeated 8x8 ──┐
         stage 1, stride 64     ├─► residual, mean over 4x4 ─► ...                                           ─►+
         stage 2, stride 32     ├─► residual, mean over 2x2 ─► ...                                           ─►+
         stage 3, stride 16     └─► residual                ─► ...                                           ─►+
                                                                                                               │
      pixels ◄── synthesis ◄───────────────────────────────────────────────────────────────────────────────────┘

The tokens of the first stages alone decode to a picture, too.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.bitstream.errors import UsageError
from imgcodec.tokenizers.blocks import BLOCK, check_transforms
from imgcodec.tokenizers.init import block_basis, init_quantizer, init_transforms
from imgcodec.tokenizers.protocol import Losses
from imgcodec.tokenizers.quantizers import MAX_CODEBOOK_SIZE, VectorQuantizer, sum_of_losses
from imgcodec.tokenizers.transforms import Analysis, Synthesis

MAX_STAGES = 8
MAX_VQ_STRIDE = 64
MAX_CODEBOOK_DIM = 64


@dataclass(frozen=True)
class SNACConfig:
    """Sizes of SNAC. Raises ValueError for what no model needs.

    vq_strides: width and height of a token in latents, by stage, each a multiple of the next. codebook_size,
    codebook_dim: of every stage. widths: of the convolutions at strides 16 and 8; analysis_blocks, synthesis_blocks:
    how many of them, likewise.
    """

    latent_dim: int = 48
    codebook_size: int = 4096
    codebook_dim: int = 8
    vq_strides: tuple[int, ...] = (8, 4, 2, 1)
    widths: tuple[int, int] = (96, 48)
    analysis_blocks: tuple[int, int] = (1, 1)
    synthesis_blocks: tuple[int, int] = (2, 2)

    def __post_init__(self) -> None:
        strides = self.vq_strides
        if not 1 <= len(strides) <= MAX_STAGES or min(strides) < 1 or max(strides) > MAX_VQ_STRIDE:
            raise ValueError(f"there may be 1 to {MAX_STAGES} stages, of 1 to {MAX_VQ_STRIDE} latents each way")
        if any(a % b for a, b in pairwise(strides)):
            raise ValueError("each of vq_strides must be a multiple of the next")
        if not 2 <= self.codebook_size <= MAX_CODEBOOK_SIZE or not 2 <= self.codebook_dim <= MAX_CODEBOOK_DIM:
            raise ValueError(
                f"a codebook may have 2 to {MAX_CODEBOOK_SIZE} codes of 2 to {MAX_CODEBOOK_DIM} dimensions"
            )
        check_transforms(self.latent_dim, self.widths, self.analysis_blocks + self.synthesis_blocks)


class SNAC(nn.Module):
    """A `RasterTokenizer` of several stages."""

    def __init__(self, config: SNACConfig) -> None:
        super().__init__()
        self.config = config
        self.strides = tuple(BLOCK * s for s in config.vq_strides)
        self.codebook_size = config.codebook_size
        self.scales: tuple[int, ...] = (1,)
        dim = config.latent_dim
        self.analysis = Analysis(dim, config.widths, config.analysis_blocks)
        self.synthesis = Synthesis(dim, config.widths, config.synthesis_blocks)
        self.quantizers = nn.ModuleList(
            VectorQuantizer(dim, config.codebook_size, config.codebook_dim) for _ in config.vq_strides
        )

    def encode(self, pixels: Tensor) -> list[Tensor]:
        residual = self.analysis(pixels)
        tokens = []
        for stride, quantizer in self._stages():
            tokens.append(quantizer.encode(F.avg_pool2d(residual, stride)))
            residual = residual - _repeat(quantizer.lookup(tokens[-1]), stride)
        return tokens

    def decode(self, tokens: list[Tensor], scale: int = 1) -> Tensor:
        if scale != 1:
            raise UsageError(f"SNAC decodes to the size of the picture only, not {scale} times it.")
        return self.synthesis(self.dequantize(tokens))

    def dequantize(self, tokens: list[Tensor]) -> Tensor:
        """Tokens of the first stages, at least one -> latent (B, latent_dim, h, w), stride 16."""
        parts = zip(self._stages(), tokens, strict=False)
        return torch.stack([_repeat(quantizer.lookup(t), stride) for (stride, quantizer), t in parts]).sum(0)

    def reconstruct(self, pixels: Tensor) -> Tensor:
        residual = self.analysis(pixels)
        latent = torch.zeros_like(residual)
        for stride, quantizer in self._stages():
            values = _repeat(quantizer.pass_through(F.avg_pool2d(residual, stride)), stride)
            latent, residual = latent + values, residual - values
        return self.synthesis(latent)

    def code_vectors(self) -> list[Tensor]:
        """The latent that each code adds, by stage: (codebook_size, latent_dim)."""
        return [quantizer.code_vectors() for _, quantizer in self._stages()]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        residual = self.analysis(pixels)
        latent, losses = torch.zeros_like(residual), []
        for stride, quantizer in self._stages():
            values, _, loss = quantizer(F.avg_pool2d(residual, stride))
            values = _repeat(values, stride)
            latent, residual = latent + values, residual - values
            losses.append(loss)
        return self.synthesis(latent), sum_of_losses(losses)

    @torch.no_grad()
    def init_from_data(self, crops: Tensor) -> None:
        """Sets linear paths, projections and codebooks from pixels (N, 3, H, W) in 0..1. A few hundred crops of
        256 x 256 are enough for it to decode to pictures before anything is trained."""
        init_transforms(self.analysis.linear, self.synthesis.linear, block_basis(crops, BLOCK, self.config.latent_dim))
        residual = torch.cat([self.analysis(piece) for piece in crops.split(32)])
        self.synthesis.input_scale.copy_(1 / (residual.std((0, 2, 3)) + 0.1))
        for stride, quantizer in self._stages():
            # means at positions between those of the tokens, too: a crop has few tokens of a coarse stage
            samples = F.avg_pool2d(residual, stride, stride=max(1, stride // 4)).movedim(1, 3).flatten(0, 2)
            init_quantizer(quantizer, samples)
            values = torch.cat(
                [quantizer.lookup(quantizer.encode(p)) for p in F.avg_pool2d(residual, stride).split(32)]
            )
            residual = residual - _repeat(values, stride)

    def _stages(self) -> list[tuple[int, VectorQuantizer]]:
        return list(zip(self.config.vq_strides, self.quantizers, strict=True))  # type: ignore[arg-type]


def _repeat(x: Tensor, times: int) -> Tensor:
    return F.interpolate(x, scale_factor=times, mode="nearest") if times > 1 else x
