"""The `photo` tokenizer: multi-scale residual vector quantization (RVQ) between two transforms.

      pixels ──► analysis ──► latent y (320 channels, stride 16)
                                 │
          stage 0, stride 64     ├─► mean over 4x4 of the first channels ─► tokens ─► repeated 4x4 ──┐
                                 │                                                                   │
          stage 1, stride 16     └─► y minus that ─────────────────────────► tokens ──────────► + ◄──┘
                                                                                                │
      pixels ◄── synthesis ◄────────────────────────────────────────────────── latent y' ◄──────┘

Coarse strides first, each stage coding the residual of the earlier ones (SNAC, Siuzdak et al. 2024). A token is one
channel at one position: the index of a codeword, a number. Codebooks (codebooks, codes, 1) start as the integer
lattice; their zero codeword is in the middle, and tokens minus its index are called centred. One `quality` sets a gain
for every channel and stage (Cui et al. 2021, gained VAE), so one model serves all rates. Steps of stage 1 are wider
where its own tokens have contrast, which hides errors from the eye. A decoder sees it in the tokens, so nothing is sent
for that.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.layers import interpolate_levels, straight_through
from imgcodec.tokenizers.masking import NARROWINGS, ROUNDED_UP
from imgcodec.tokenizers.rvq_config import IMPOSSIBLE_CONTRAST, MAX_CONTRAST, POOL, RVQConfig
from imgcodec.tokenizers.transforms import Analysis, Synthesis


class ResidualVQ(nn.Module):
    """Tokens are lists of integer tensors, one per stage: (B, groups, h, w), values 0..codes-1.

    Levels of quality run from 0 to `levels` - 1, with fractions; those of the visual tune follow, from `levels` on.
    """

    contrast: Tensor
    """What the square of each channel of the latent adds to the variance of luma, in units of that at which steps begin
    to be wider; where they are."""

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.config = config
        self.zero = config.codes // 2  # index of the zero codeword
        self.analysis = Analysis(config.channels[1], config.widths, config.analysis_blocks[::-1], kernel=1)
        self.synthesis = self._synthesis()
        self.visual = self._synthesis() if config.visual else None
        if config.visual:
            self.visual_shift = nn.Parameter(torch.zeros(config.channels[1]), requires_grad=False)
        if config.widens:
            self.register_buffer("contrast", torch.zeros(config.channels[1]))
        self.log_gain = nn.ParameterList(nn.Parameter(torch.zeros(config.levels, c)) for c in config.channels)
        # from NumPy: on the meta device, where models are built before they are loaded, torch.arange imports a compiler
        lattice = torch.from_numpy(np.arange(config.codes, dtype=np.float32) - self.zero)
        self.codebooks = nn.ParameterList(
            nn.Parameter(lattice.repeat(c, 1)[:, :, None], requires_grad=False) for c in config.codebooks
        )

    def _synthesis(self) -> Synthesis:
        config = self.config
        blocks = config.synthesis_blocks[::-1]
        return Synthesis(
            config.channels[1],
            config.widths,
            blocks,
            kernel=1,
            levels=config.levels,
            width_filter=config.width_filter,
            filter_blocks=config.filter_blocks,
        )

    # The two directions of the codec

    def scaled_residuals(self, latent: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Latent (B, C, h, w), h and w multiples of 4, and level (B,) -> the centred tokens of stage 0 and the residual
        that they leave to stage 1, in quantization steps: real numbers near the centred tokens, which an encoder may
        round as it likes."""
        tokens = self._nearest(0, self._pool(latent) * self.gain(0, level))
        residual = self._narrowed(latent - self._unpool(self.lookup(0, tokens, level)), level) * self.gain(1, level)
        return (tokens - self.zero).to(latent.dtype), residual.clamp(-self.zero, self.zero)

    def dequantize(self, tokens: list[Tensor], level: Tensor) -> Tensor:
        """Tokens of the first stages, at least one, and level (B,) -> latent (B, C, h, w)."""
        latent = self._unpool(self.lookup(0, tokens[0], level))
        if len(tokens) > 1:
            latent = latent + self._widened(self.lookup(1, tokens[1], level), level)
        return latent

    def gain(self, stage: int, level: Tensor) -> Tensor:
        """Reciprocal of the quantization step of every group, (B, groups, 1, 1). The visual tune has the same gains but
        for a shift of those of stage 1."""
        visual = level >= self.config.levels
        logarithm = interpolate_levels(self.log_gain[stage], level - self.config.levels * visual)
        if stage == 1 and self.config.visual:
            logarithm = logarithm + visual[:, None, None, None] * self.visual_shift[:, None, None]
        return logarithm.clamp(-5, 8).exp()

    def lookup(self, stage: int, tokens: Tensor, level: Tensor) -> Tensor:
        """Codewords of tokens (B, groups, h, w), in units of the latent."""
        book, group = self._book(stage)
        return book[group, tokens.long()] / self.gain(stage, level)

    def widening(self, fine: Tensor, level: Tensor) -> Tensor:
        """What stage 1 says before it is widened (B, C, h, w), in units of the latent, and level (B,) -> how many times
        as wide its steps are at each position, (B, 1, h, w): 1 where it says nothing."""
        if not self.config.widens:
            return torch.ones_like(fine[:, :1])
        variance = (fine.square() * self.contrast[:, None, None]).sum(1, keepdim=True)
        return (1 + variance) ** self._exponent(level)

    def widening_of_values(self, values: Tensor, level: Tensor) -> Tensor:
        """About what `widening` will be when the real numbers of `scaled_residuals` (B, C, h, w) are tokens."""
        # of squares: without their signs
        return self.widening((values.abs() + ROUNDED_UP).floor() / self.gain(1, level), level)

    def _exponent(self, level: Tensor) -> Tensor:
        """Of the widening, (B, 1, 1, 1)."""
        psnr, visual = self.config.widening
        return torch.where(level < self.config.levels, psnr, visual)[:, None, None, None]

    def _widened(self, fine: Tensor, level: Tensor) -> Tensor:
        return fine * self.widening(fine, level) if self.config.widens else fine

    def _narrowed(self, residual: Tensor, level: Tensor) -> Tensor:
        """A residual (B, C, h, w), divided so that `_widened` makes about the same of its tokens."""
        if not self.config.widens:
            return residual
        with torch.no_grad():
            gain, factor = self.gain(1, level), self.widening(residual, level)
            part = 1 / (1 + 2 * self._exponent(level))  # Newton's method where contrast is high
            for _ in range(NARROWINGS):
                tried = self.widening_of_values(residual / factor * gain, level)
                factor = factor * (tried / factor) ** part
        return residual / factor

    def check_tables(self) -> None:
        """Raises ValueError unless every codeword lies within half a step of its lattice point, zero at zero, and the
        contrast of each channel is from 0 to `MAX_CONTRAST`."""
        if self.config.widens and not bool(((self.contrast >= 0) & (self.contrast <= MAX_CONTRAST)).all()):
            raise ValueError(IMPOSSIBLE_CONTRAST)
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
        """Index of the nearest codeword. Codewords lie within half a step of their lattice point (`check_tables`),
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

    # Training

    def ste_residuals(self, latent: Tensor, level: Tensor) -> list[Tensor]:
        """As `scaled_residuals`, but differentiable: a straight-through estimator for the rounding of stage 0."""
        scaled = self._pool(latent) * self.gain(0, level)
        coarse = straight_through(scaled.round(), scaled)
        residual = self._narrowed(latent - self._unpool(coarse / self.gain(0, level)), level)
        return [coarse, residual * self.gain(1, level)]

    def dequantize_lattice(self, tokens: list[Tensor], level: Tensor) -> Tensor:
        """As `dequantize`, but differentiable, for centred tokens of both stages and codebooks that are lattices."""
        return self._unpool(tokens[0] / self.gain(0, level)) + self._widened(tokens[1] / self.gain(1, level), level)
