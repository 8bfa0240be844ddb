"""BSQ: a patch auto-encoder with binary spherical quantization (Zhao et al. 2024), 2**bits codes a patch.

      pixels ──► analysis ──► coordinates y ──► digits ──► u on the sphere ──► signs ──► token 0..2**bits-1
                                                                                           │
      pixels ◄── synthesis ◄── latent ◄── linear ◄── products of the bits of a coordinate ◄┘

Where every coordinate has one bit, `bits_of = [1] * 18`, this is the paper's quantizer: project to as many dimensions
as there are bits, normalise, take signs / sqrt(bits), pass gradients straight through from signs to the sphere, map
back linearly; entropy and commitment are those of points on the sphere.

A sign is one bit, whereas a patch's mean is worth five and its faintest coordinate none: how to spread them is a lot to
learn in minutes (20 seconds of training on one core end at 20.6 dB like that, and at 25.1 dB with several bits for the
first coordinates; they start at 15.8 and 24.1). So a coordinate may have several bits, found one after the other, which
is what the shipped model has: r = y, its sign is the first bit; then r - t * sign(r), with a learned t, and the sign of
that; and so on. It is a binary number, most significant bit first. These r, for all coordinates, are what is
normalised. Any function of n bits is linear in the 2**n products of subsets of them, so that a linear map of these
products decodes any spacing exactly.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.bitstream.errors import UsageError
from imgcodec.tokenizers.init import block_basis, set_layer, start_transforms
from imgcodec.tokenizers.protocol import Losses
from imgcodec.tokenizers.quantizers import MOST_BITS, BinarySphericalQuantizer
from imgcodec.tokenizers.transforms import BLOCK, BlockAnalysis, BlockSynthesis

LARGEST_WIDTH = 2**12
MOST_BLOCKS = 64
MOST_FOLDS = 8


@dataclass(frozen=True)
class BSQConfig:
    """bits_of: how many bits each coordinate has, the most first; their sum is the number of bits of a token, at most
    18. widths: of the convolutions at strides 16 and 8; blocks: how many of them, likewise. The patch is 16 x 16."""

    bits_of: tuple[int, ...] = (5, 4, 3, 2, 2, 2)
    latent_dim: int = 48
    widths: tuple[int, int] = (128, 64)
    analysis_blocks: tuple[int, int] = (1, 1)
    synthesis_blocks: tuple[int, int] = (3, 2)

    def __post_init__(self) -> None:
        if not self.bits_of or not 1 <= min(self.bits_of) <= max(self.bits_of) <= MOST_FOLDS:
            raise ValueError(f"a coordinate may have 1 to {MOST_FOLDS} bits")
        if len(self.bits_of) > self.latent_dim:
            raise ValueError("there must be as many latents as coordinates")
        if list(self.bits_of) != sorted(self.bits_of, reverse=True) or self.bits > MOST_BITS:
            raise ValueError(f"there may be {MOST_BITS} bits in all, coordinates with many of them first")
        if min(self.latent_dim, *self.widths) < 1 or max(self.latent_dim, *self.widths) > LARGEST_WIDTH:
            raise ValueError(f"latents and layers may be 1 to {LARGEST_WIDTH} wide")
        blocks = self.analysis_blocks + self.synthesis_blocks
        if min(blocks) < 0 or max(blocks) > MOST_BLOCKS:
            raise ValueError(f"a transform may have {MOST_BLOCKS} blocks of each kind")

    @property
    def bits(self) -> int:
        return sum(self.bits_of)

    @property
    def widest(self) -> tuple[int, ...]:
        """How many coordinates, the first ones, have a bit of each level, most significant level first."""
        return tuple(sum(b > level for b in self.bits_of) for level in range(self.bits_of[0]))


class BinaryDigits(nn.Module):
    """Coordinates (B, n, h, w) <-> bits; bits (B, bits, h, w) go level by level, all coordinates' first bits first."""

    def __init__(self, config: BSQConfig) -> None:
        super().__init__()
        self.config = config
        # how far what is left is moved towards zero after each bit, by level and coordinate
        self.at = nn.ParameterList(nn.Parameter(torch.full((n,), 0.5**i)) for i, n in enumerate(config.widest[1:], 1))
        self.scale = nn.Parameter(torch.ones(config.bits))

    def forward(self, y: Tensor) -> Tensor:
        """-> what the signs are taken of (B, bits, h, w)."""
        levels = [y]
        for at in self.at:
            rest = levels[-1][:, : len(at)]
            levels.append(torch.where(rest > 0, rest - at[:, None, None], rest + at[:, None, None]))
        return torch.cat(levels, 1) * self.scale[:, None, None]

    def products(self, signs: Tensor) -> Tensor:
        """Signs (B, bits, h, w), each 1 or -1 -> all products of each coordinate's signs but the empty one, and that
        once: (B, 1 + sum(2**bits_of - 1), h, w)."""
        levels = signs.split(self.config.widest, 1)
        found = [torch.ones_like(signs[:, :1])]
        for coordinate, bits in enumerate(self.config.bits_of):
            products = torch.ones_like(signs[:, :1])
            for level in levels[:bits]:
                products = torch.cat([products, products * level[:, coordinate : coordinate + 1]], 1)
            found.append(products[:, 1:])
        return torch.cat(found, 1)


class BSQTokenizer(nn.Module):
    """A `RasterTokenizer` of one stage."""

    def __init__(self, config: BSQConfig) -> None:
        super().__init__()
        self.config = config
        self.strides: tuple[int, ...] = (BLOCK,)
        self.codes = 2**config.bits
        self.scales: tuple[int, ...] = (1,)
        coordinates = len(config.bits_of)
        products = 1 + sum(2**b - 1 for b in config.bits_of)
        self.analysis = BlockAnalysis(coordinates, coordinates, config.widths, config.analysis_blocks)
        self.digits = BinaryDigits(config)
        self.quantizer = BinarySphericalQuantizer(config.bits)
        self.unfold = nn.Conv2d(products, config.latent_dim, 1, bias=False)
        self.synthesis = BlockSynthesis(config.latent_dim, config.widths, config.synthesis_blocks)

    def encode(self, pixels: Tensor) -> list[Tensor]:
        return [self.quantizer.encode(self.digits(self.analysis(pixels)))]

    def decode(self, tokens: list[Tensor], scale: int = 1) -> Tensor:
        if scale != 1:
            raise UsageError(f"BSQ decodes to the size of the picture only, not {scale} times it.")
        return self.synthesis(self._latent(self.quantizer.lookup(tokens[0])))

    def code_vectors(self) -> list[Tensor]:
        """What each code stands for, by stage: (codes, latent_dim)."""
        tokens = torch.arange(self.codes, device=self.unfold.weight.device)
        return [self._latent(self.quantizer.lookup(tokens[None, None]))[0, :, 0].T]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        """With one bit a coordinate, as in the paper. Else gradients pass straight from what coordinates are decoded
        to, the first latents, to the coordinates: through digits, sphere and signs at once, for a later bit says
        nothing without those before it. They drive coordinates to where bits flip, because the error of quantization
        looks like one that moving could mend. The commitment loss, here of coordinates and not of points on the sphere,
        cancels that where it is added with the weight of the mean squared error of pixels."""
        y = self.analysis(pixels)
        values, _, losses = self.quantizer(self.digits(y))
        if self.config.bits_of[0] == 1:
            return self.synthesis(self._latent(values)), losses
        vq, _, entropy, usage = losses
        latent = self._latent(values.detach())
        coordinates = y.shape[1]
        commit = (y - latent[:, :coordinates].detach()).square().mean((0, 2, 3)).sum() / (3 * BLOCK**2)
        latent = latent + F.pad(y - y.detach(), (0, 0, 0, 0, 0, latent.shape[1] - coordinates))  # of no value
        return self.synthesis(latent), Losses(vq, commit, entropy, usage)

    @torch.no_grad()
    def start_from(self, crops: Tensor) -> None:
        """Sets linear paths, digits and what decodes them from pixels (N, 3, H, W) in 0..1, so that what comes out is a
        picture before anything is trained."""
        basis = block_basis(crops, BLOCK, self.config.latent_dim)
        coordinates = len(self.config.bits_of)
        whole = nn.Conv2d(3, len(basis), BLOCK, stride=BLOCK, device=crops.device)
        start_transforms(whole, self.synthesis.linear, basis)
        latent = torch.cat([whole(piece - 0.5) for piece in crops.split(32)])
        mean = latent.mean((0, 2, 3))
        set_layer(self.analysis.linear, basis[:coordinates], -mean[:coordinates])
        set_layer(self.synthesis.linear, basis.flatten(1).T, (mean[:, None] * basis.flatten(1)).sum(0))
        self.synthesis.input_scale.copy_(1 / (latent.std((0, 2, 3)) + 0.1))

        samples = (latent - mean[:, None, None]).movedim(1, 3).flatten(0, 2)
        widths = [best_width(y, bits) for y, bits in zip(samples.T, self.config.bits_of, strict=False)]
        for level, at in enumerate(self.digits.at, 1):
            at.copy_(torch.stack(widths[: len(at)]) / 2**level)
        rests = self.digits(samples.T[None, :coordinates, :, None])
        self.digits.scale.div_(rests.square().mean((0, 2, 3)).sqrt().clamp(min=1e-6))
        products = self.digits.products(torch.where(rests > 0, 1.0, -1.0))[0, :, :, 0]
        gram = products @ products.T / products.shape[1]
        target = products @ samples / products.shape[1]
        self.unfold.weight.copy_(
            torch.linalg.solve(gram + 1e-4 * torch.eye(len(gram), device=gram.device), target).T[:, :, None, None]
        )

    def _latent(self, values: Tensor) -> Tensor:
        with torch.autocast(values.device.type, enabled=False):
            return self.unfold(self.digits.products(values * self.config.bits**0.5))


def best_width(y: Tensor, bits: int) -> Tensor:
    """How far from zero the 2**bits equal intervals should reach for the least squared error in y, (n,); the outermost
    ones are open."""
    deviation = y.square().mean().sqrt().clamp(min=1e-6)
    half = 2 ** (bits - 1)
    best, least = deviation, float("inf")
    for width in (deviation * factor for factor in (0.7, 1.0, 1.4, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)):
        step = width / half
        centre = ((y / step).floor().clamp(-half, half - 1) + 0.5) * step
        error = float((y - centre).square().mean())
        if error < least:
            best, least = width, error
    return best
