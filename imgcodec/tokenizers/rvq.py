"""The `photo` tokenizer: multi-scale residual vector quantization (RVQ) between two transforms.

      pixels ──► analysis ──► latent y (320 channels, stride 16)
                                 │
          stage 0, stride 64     ├─► mean over 4x4 of the first channels ─► codes ─► repeated 4x4 ──┐
                                 │                                                                  │
          stage 1, stride 16     └─► y minus that ─────────────────────────► codes ──────────► + ◄──┘
                                                                                               │
      pixels ◄── synthesis ◄───────────────────────────────────────────────── latent y' ◄──────┘

Coarse strides first, each stage coding what the earlier ones left (SNAC, Siuzdak et al. 2024). Each stage has stored
codebooks (groups, codes, 1), looked up by index; they start as the integer lattice. One `quality` sets a gain for every
channel and stage (Cui et al. 2021, gained VAE), so one model serves all rates.

Both transforms are a linear path that starts from the Karhunen-Loeve transform of 16x16 blocks, plus convolutions
whose last layer starts at zero.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.layers import ResidualBlock, interpolate_levels, straight_through, zero_init
from imgcodec.tokenizers.transforms import BLOCK, analysis_net, fine_net

STRIDES = (64, BLOCK)
POOL = STRIDES[0] // STRIDES[1]

# No model needs more, and a stranger's configuration may not ask for more: codebooks are made before tensors are read.
LARGEST_CODES = 2**13
MOST_CODEWORDS = 2**22
MOST_BLOCKS = 64


@dataclass(frozen=True)
class RVQConfig:
    """Sizes of the `photo` tokenizer. `channels` are the groups of (stage 0, stage 1), `codebooks` how many each stage
    has: one for all groups, or one a group. visual: is there a second tune, for the eye instead of
    PSNR, with a synthesis and steps of its own?"""

    channels: tuple[int, int] = (96, 320)
    codebooks: tuple[int, int] = (1, 1)
    codes: int = 4095
    levels: int = 8
    width_coarse: int = 256
    width_fine: int = 96
    analysis_blocks: tuple[int, int] = (2, 1)
    synthesis_blocks: tuple[int, int] = (3, 2)
    visual: bool = False

    def __post_init__(self) -> None:
        if self.codes % 2 == 0:
            raise ValueError("codes must be odd, so that the lattice has a zero codeword")
        if min(*self.channels, *self.codebooks, self.levels, self.width_coarse, self.width_fine) < 1:
            raise ValueError("no layer and no codebook can be empty")
        if self.codes > LARGEST_CODES or sum(self.codebooks) * self.codes > MOST_CODEWORDS:
            raise ValueError(f"there may be {LARGEST_CODES} codes in a codebook and {MOST_CODEWORDS} in all of them")
        if max(*self.analysis_blocks, *self.synthesis_blocks) > MOST_BLOCKS:
            raise ValueError(f"a transform may have {MOST_BLOCKS} blocks of each kind")


class Analysis(nn.Module):
    """Pixels (B, 3, H, W) in 0..1, H and W multiples of 16 -> latent (B, C, H/16, W/16)."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        channels, (fine, coarse) = config.channels[1], config.analysis_blocks
        self.halo = coarse + fine  # latents beyond a tile's border that its latents depend on
        self.linear = nn.Conv2d(3, channels, BLOCK, stride=BLOCK)
        self.net = analysis_net(channels, (config.width_coarse, config.width_fine), (coarse, fine), 1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.linear_path(pixels) + self.net(pixels - 0.5)

    def linear_path(self, pixels: Tensor) -> Tensor:
        """In float32 always: its precision is the ceiling of the whole codec."""
        with torch.autocast(pixels.device.type, enabled=False):
            return self.linear(pixels - 0.5)


class Synthesis(nn.Module):
    """Latent (B, C, h, w) and level (B,) -> pixels (B, 3, 16h, 16w), not clamped."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        coarse, channels = config.width_coarse, config.channels[1]
        blocks_fine, blocks_coarse = config.synthesis_blocks
        self.halo = blocks_coarse + blocks_fine  # latents beyond a tile's border that its pixels depend on
        self.linear = nn.Conv2d(channels, 3 * BLOCK * BLOCK, 1)
        self.input_scale = nn.Parameter(torch.ones(channels))
        self.input = nn.Conv2d(channels, coarse, 1)
        self.level = nn.Parameter(torch.zeros(config.levels, coarse))
        self.coarse = nn.Sequential(*[ResidualBlock(coarse, 1) for _ in range(blocks_coarse)])
        self.refine = zero_init(nn.Conv2d(coarse, channels, 1))
        self.fine = fine_net((coarse, config.width_fine), blocks_fine)

    def forward(self, latent: Tensor, level: Tensor) -> Tensor:
        x = self.input(latent * self.input_scale[:, None, None]) + interpolate_levels(self.level, level)
        x = self.coarse(x)
        refined = latent + self.refine(x)
        with torch.autocast(x.device.type, enabled=False):
            linear = F.pixel_shuffle(self.linear(refined.float()), BLOCK)
        return linear + self.fine(x) + 0.5


class ResidualVQ(nn.Module):
    """Tokens are lists of integer tensors, one a stage: (B, groups, h, w), values 0..codes-1."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = Analysis(config)
        self.synthesis = Synthesis(config)
        self.visual = Synthesis(config) if config.visual else None
        if config.visual:
            self.visual_shift = nn.Parameter(torch.zeros(config.channels[1]), requires_grad=False)
        self.log_gain = nn.ParameterList(nn.Parameter(torch.zeros(config.levels, c)) for c in config.channels)
        # from NumPy: on the meta device, where models are built before they are loaded, torch.arange imports a compiler
        lattice = torch.from_numpy(np.arange(config.codes, dtype=np.float32) - config.codes // 2)
        self.codebooks = nn.ParameterList(
            nn.Parameter(lattice.repeat(c, 1)[:, :, None], requires_grad=False) for c in config.codebooks
        )

    # -- the two directions of the codec -------------------------------------------------------------------------

    def scale_latent(self, latent: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Latent (B, C, h, w), h and w multiples of 4, and level (B,) -> the tokens of stage 0 and what they leave to
        stage 1, in steps: real numbers, which an encoder may round as it likes. Both centred on the zero codeword."""
        tokens = self._nearest(0, self._pool(latent) * self.gain(0, level))
        residual = (latent - self._unpool(self.lookup(0, tokens, level))) * self.gain(1, level)
        half = self.config.codes // 2
        return (tokens - half).to(latent.dtype), residual.clamp(-half, half)

    def dequantize(self, tokens: list[Tensor], level: Tensor) -> Tensor:
        """Tokens of the first stages, at least one, and level (B,) -> latent (B, C, h, w)."""
        latent = self._unpool(self.lookup(0, tokens[0], level))
        if len(tokens) > 1:
            latent = latent + self.lookup(1, tokens[1], level)
        return latent

    def gain(self, stage: int, level: Tensor) -> Tensor:
        """Reciprocal of the quantization step of every group, (B, groups, 1, 1). Levels of the visual tune follow those
        of the other; it has the same gains but for a shift of those of stage 1."""
        visual = level >= self.config.levels
        logarithm = interpolate_levels(self.log_gain[stage], level - self.config.levels * visual)
        if stage == 1 and self.config.visual:
            logarithm = logarithm + visual[:, None, None, None] * self.visual_shift[:, None, None]
        return logarithm.clamp(-5, 8).exp()

    def lookup(self, stage: int, tokens: Tensor, level: Tensor) -> Tensor:
        """Codewords of tokens (B, groups, h, w), in units of the latent."""
        book, group = self._book(stage)
        return book[group, tokens.long()] / self.gain(stage, level)

    def check_codebooks(self) -> None:
        """Raises ValueError unless every codeword lies within half a step of its lattice point, zero at zero."""
        for book in self.codebooks:
            lattice = torch.arange(book.shape[1], device=book.device) - book.shape[1] // 2
            off = (book[:, :, 0] - lattice).abs()
            if not bool((off < 0.5).all()) or bool(off[:, book.shape[1] // 2].any()):
                raise ValueError("a codeword is too far from its lattice point")

    def _book(self, stage: int) -> tuple[Tensor, Tensor]:
        """Codewords (codebooks, codes), and which codebook each group uses (groups, 1, 1)."""
        book = self.codebooks[stage][:, :, 0]
        last = torch.tensor(len(book) - 1, device=book.device)
        return book, torch.arange(self.config.channels[stage], device=book.device).minimum(last)[:, None, None]

    def _nearest(self, stage: int, scaled: Tensor) -> Tensor:
        """Index of the nearest codeword. Codewords lie within half a step of their lattice point (`check_codebooks`),
        so only the rounded value and its two neighbours can be nearest."""
        book, group = self._book(stage)
        zero, last = book.shape[1] // 2, book.shape[1] - 1
        centre = (scaled.round() + zero).clamp(0, last).long()
        best, error = centre, (book[group, centre] - scaled).abs()
        for neighbour in ((centre - 1).clamp(min=0), (centre + 1).clamp(max=last)):
            other = (book[group, neighbour] - scaled).abs()
            best = torch.where(other < error, neighbour, best)
            error = torch.minimum(other, error)
        return best

    def _pool(self, latent: Tensor) -> Tensor:
        return F.avg_pool2d(latent[:, : self.config.channels[0]], POOL)

    def _unpool(self, coarse: Tensor) -> Tensor:
        repeated = F.interpolate(coarse, scale_factor=POOL, mode="nearest")
        return F.pad(repeated, (0, 0, 0, 0, 0, self.config.channels[1] - self.config.channels[0]))

    # -- training ------------------------------------------------------------------------------------------------

    def relax(self, latent: Tensor, level: Tensor) -> list[Tensor]:
        """As `scale_latent`, but differentiable: through the rounding of stage 0 the gradient passes straight."""
        scaled = self._pool(latent) * self.gain(0, level)
        coarse = straight_through(scaled.round(), scaled)
        return [coarse, (latent - self._unpool(coarse / self.gain(0, level))) * self.gain(1, level)]

    def reconstruct(self, tokens: list[Tensor], level: Tensor) -> Tensor:
        """As `dequantize`, but differentiable, for centred tokens of both stages and codebooks that are lattices."""
        return self._unpool(tokens[0] / self.gain(0, level)) + tokens[1] / self.gain(1, level)
