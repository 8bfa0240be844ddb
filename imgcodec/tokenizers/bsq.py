"""BSQ: a patch auto-encoder with binary spherical quantization (Zhao et al. 2024), `bits` bits per patch of 16x16.

      pixels ──► analysis ──► coordinates y ──► digits ──► u on the sphere ──► signs ──► token 0..2**bits-1
                                                                                           │
      pixels ◄── synthesis ◄── latent ◄── linear ◄── products of the bits of a coordinate ◄┘

Where every coordinate has one bit, `bits_of = [1] * 18`, this is the paper's quantizer: project to as many dimensions
as there are bits, normalise, take signs / sqrt(bits), pass gradients straight through from signs to the sphere, map
back linearly; entropy and commitment are those of points on the sphere.

A sign is one bit, but the mean of a patch deserves five bits and its faintest coordinate none, and a network needs long
to learn to spread them: after 20 seconds of training on one core, the paper's quantizer is at 20.6 dB, and one with
several bits for the first coordinates at 25.1 dB (they start at 15.8 and 24.1). So a coordinate may have several bits,
as in the shipped model, found one after the other: r = y, and its sign is the first bit; then r - t * sign(r), with a
learned t, and its sign is the second bit; and so on. The bits are a binary number, the most significant one first. The
r of all coordinates are what is normalised. Any function of n bits is linear in the 2**n products of subsets of their
signs, so a linear map of these products decodes any spacing of the intervals exactly.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.bitstream.errors import UsageError
from imgcodec.tokenizers.blocks import BLOCK, check_transforms
from imgcodec.tokenizers.init import block_basis, init_transforms, set_conv
from imgcodec.tokenizers.protocol import Losses
from imgcodec.tokenizers.quantizers import MAX_BITS, BinarySphericalQuantizer
from imgcodec.tokenizers.transforms import Analysis, Synthesis

MAX_COORDINATE_BITS = 8


@dataclass(frozen=True)
class BSQConfig:
    """Sizes of BSQ. Raises ValueError for what no model needs.

    bits_of: bits of each coordinate, not rising; their sum is the number of bits of a token, at most 18. latent_dim: of
    what is decoded. widths: of the convolutions at strides 16 and 8; analysis_blocks, synthesis_blocks: how many of
    them, likewise.
    """

    bits_of: tuple[int, ...] = (5, 4, 3, 2, 2, 2)
    latent_dim: int = 48
    widths: tuple[int, int] = (128, 64)
    analysis_blocks: tuple[int, int] = (1, 1)
    synthesis_blocks: tuple[int, int] = (3, 2)

    def __post_init__(self) -> None:
        if not self.bits_of or not 1 <= min(self.bits_of) <= max(self.bits_of) <= MAX_COORDINATE_BITS:
            raise ValueError(f"a coordinate may have 1 to {MAX_COORDINATE_BITS} bits")
        if len(self.bits_of) > self.latent_dim:
            raise ValueError("there must be as many latents as coordinates")
        if list(self.bits_of) != sorted(self.bits_of, reverse=True) or self.bits > MAX_BITS:
            raise ValueError(f"there may be {MAX_BITS} bits in all, coordinates with many of them first")
        check_transforms(self.latent_dim, self.widths, self.analysis_blocks + self.synthesis_blocks)

    @property
    def bits(self) -> int:
        """Of a token."""
        return sum(self.bits_of)

    @property
    def coordinate_counts(self) -> tuple[int, ...]:
        """How many coordinates, the first ones, have a bit of each significance, the most significant first."""
        return tuple(sum(bits > n for bits in self.bits_of) for n in range(self.bits_of[0]))


class BinaryDigits(nn.Module):
    """Coordinates (B, n, h, w) <-> bits (B, bits, h, w), in the order of their significance: first the most significant
    bits of all coordinates."""

    def __init__(self, config: BSQConfig) -> None:
        super().__init__()
        self.config = config
        # how far the rest of a coordinate is moved towards zero after each bit, by significance and coordinate
        self.at = nn.ParameterList(
            nn.Parameter(torch.full((n,), 0.5**i)) for i, n in enumerate(config.coordinate_counts[1:], 1)
        )
        self.scale = nn.Parameter(torch.ones(config.bits))

    def forward(self, y: Tensor) -> Tensor:
        """Coordinates -> the numbers (B, bits, h, w) whose signs are the bits."""
        rests = [y]
        for at in self.at:
            rest = rests[-1][:, : len(at)]
            rests.append(torch.where(rest > 0, rest - at[:, None, None], rest + at[:, None, None]))
        return torch.cat(rests, 1) * self.scale[:, None, None]

    def products(self, signs: Tensor) -> Tensor:
        """Signs (B, bits, h, w), each 1 or -1 -> the products of all subsets of each coordinate's signs, the empty
        product once for all coordinates: (B, 1 + sum(2**bits_of - 1), h, w)."""
        by_significance = signs.split(self.config.coordinate_counts, 1)
        result = [torch.ones_like(signs[:, :1])]
        for coordinate, bits in enumerate(self.config.bits_of):
            products = torch.ones_like(signs[:, :1])
            for sign in by_significance[:bits]:
                products = torch.cat([products, products * sign[:, coordinate : coordinate + 1]], 1)
            result.append(products[:, 1:])
        return torch.cat(result, 1)


class BSQTokenizer(nn.Module):
    """A `RasterTokenizer` of one stage."""

    def __init__(self, config: BSQConfig) -> None:
        super().__init__()
        self.config = config
        self.strides: tuple[int, ...] = (BLOCK,)
        self.codebook_size = 2**config.bits
        self.scales: tuple[int, ...] = (1,)
        coordinates = len(config.bits_of)
        products = 1 + sum(2**b - 1 for b in config.bits_of)
        self.analysis = Analysis(coordinates, config.widths, config.analysis_blocks)
        self.digits = BinaryDigits(config)
        self.quantizer = BinarySphericalQuantizer(config.bits)
        self.unfold = nn.Conv2d(products, config.latent_dim, 1, bias=False)
        self.synthesis = Synthesis(config.latent_dim, config.widths, config.synthesis_blocks)

    def encode(self, pixels: Tensor) -> list[Tensor]:
        return [self.quantizer.encode(self.digits(self.analysis(pixels)))]

    def decode(self, tokens: list[Tensor], scale: int = 1) -> Tensor:
        if scale != 1:
            raise UsageError(f"BSQ decodes to the size of the picture only, not {scale} times it.")
        return self.synthesis(self._latent(self.quantizer.lookup(tokens[0])))

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Coordinates are the first of the latents that they are decoded to."""
        coordinates = self.analysis(pixels)
        missing = self.config.latent_dim - coordinates.shape[1]
        return self.synthesis(F.pad(coordinates, (0, 0, 0, 0, 0, missing)))

    def code_vectors(self) -> list[Tensor]:
        """The latent that each code is decoded from, by stage: (codebook_size, latent_dim)."""
        tokens = torch.arange(self.codebook_size, device=self.unfold.weight.device)
        return [self._latent(self.quantizer.lookup(tokens[None, None]))[0, :, 0].T]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        """With one bit per coordinate, as in the paper. Otherwise gradients pass straight from the first latents, which
        the coordinates are decoded to, to the coordinates: past digits, sphere and signs at once, because a later bit
        means nothing without those before it. These gradients drive coordinates to where bits flip, as if moving them
        could mend the quantization error. The commitment loss, here of coordinates and not of points on the sphere,
        cancels that where it is added with the weight of the mean squared error of pixels."""
        y = self.analysis(pixels)
        values, _, losses = self.quantizer(self.digits(y))
        if self.config.bits_of[0] == 1:
            return self.synthesis(self._latent(values)), losses
        vq, _, entropy, usage = losses
        latent = self._latent(values.detach())
        coordinates = y.shape[1]
        commit = (y - latent[:, :coordinates].detach()).square().mean((0, 2, 3)).sum() / (3 * BLOCK**2)
        latent = latent + F.pad(
            y - y.detach(), (0, 0, 0, 0, 0, latent.shape[1] - coordinates)
        )  # adds zero: only its gradient counts
        return self.synthesis(latent), Losses(vq, commit, entropy, usage)

    @torch.no_grad()
    def init_from_data(self, crops: Tensor) -> None:
        """Sets linear paths, digits and the layer that decodes them from pixels (N, 3, H, W) in 0..1. So it decodes to
        pictures before anything is trained."""
        basis = block_basis(crops, BLOCK, self.config.latent_dim)
        coordinates = len(self.config.bits_of)
        whole = nn.Conv2d(3, len(basis), BLOCK, stride=BLOCK, device=crops.device)
        init_transforms(whole, self.synthesis.linear, basis)
        latent = torch.cat([whole(piece - 0.5) for piece in crops.split(32)])
        mean = latent.mean((0, 2, 3))
        set_conv(self.analysis.linear, basis[:coordinates], -mean[:coordinates])
        set_conv(self.synthesis.linear, basis.flatten(1).T, (mean[:, None] * basis.flatten(1)).sum(0))
        self.synthesis.input_scale.copy_(1 / (latent.std((0, 2, 3)) + 0.1))

        samples = (latent - mean[:, None, None]).movedim(1, 3).flatten(0, 2)
        ranges = [best_range(y, bits) for y, bits in zip(samples.T, self.config.bits_of, strict=False)]
        for significance, at in enumerate(self.digits.at, 1):
            at.copy_(torch.stack(ranges[: len(at)]) / 2**significance)
        rests = self.digits(samples.T[None, :coordinates, :, None])
        self.digits.scale.div_(rests.square().mean((0, 2, 3)).sqrt().clamp(min=1e-6))
        products = self.digits.products(torch.where(rests > 0, 1.0, -1.0))[0, :, :, 0]
        gram = products @ products.T / products.shape[1]
        target = products @ samples / products.shape[1]
        self.unfold.weight.copy_(
            torch.linalg.solve(gram + 1e-4 * torch.eye(len(gram), device=gram.device), target).T[:, :, None, None]
        )

    def _latent(self, values: Tensor) -> Tensor:
        """Values of the quantizer (B, bits, h, w) -> latent (B, latent_dim, h, w)."""
        with torch.autocast(values.device.type, enabled=False):
            return self.unfold(self.digits.products(values * self.config.bits**0.5))


def best_range(y: Tensor, bits: int) -> Tensor:
    """How far from zero 2**bits equal intervals reach, the outermost ones open, with the least squared error in y (n,);
    a scalar."""
    deviation = y.square().mean().sqrt().clamp(min=1e-6)
    half = 2 ** (bits - 1)
    best, least = deviation, float("inf")
    for reach in (deviation * factor for factor in (0.7, 1.0, 1.4, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)):
        step = reach / half
        centre = ((y / step).floor().clamp(-half, half - 1) + 0.5) * step
        error = float((y - centre).square().mean())
        if error < least:
            best, least = reach, error
    return best
