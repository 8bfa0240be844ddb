"""A VQ-VAE in the style of VQGAN (Esser et al. 2021, with the l2-normalised codebook of Yu et al. 2022) that decodes to
several sizes: 1x, 2x and 4x from one evaluation of its decoder.

      pixels ──► encoder ──► project, normalise ──► nearest codeword ──► tokens, stride 2 ** (levels - 1)
                                                                            │
      1x ◄── decoder: res blocks, attention at the lowest resolution ◄──────┘
       │         └── last features ──┬──► 2x head ──►+──► 2x
       └── bicubic enlargement ──────┴───────────────┘    (and 4x likewise)
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.bitstream.errors import UsageError
from imgcodec.tokenizers.blocks import MAX_WIDTH
from imgcodec.tokenizers.init import block_basis, init_quantizer, init_transforms
from imgcodec.tokenizers.layers import zero_init
from imgcodec.tokenizers.protocol import Losses
from imgcodec.tokenizers.quantizers import MAX_CODEBOOK_SIZE, VectorQuantizer

MAX_RES_BLOCKS = 16
MAX_RESOLUTIONS = 7
MAX_SCALE = 8


@dataclass(frozen=True)
class VQConfig:
    """Sizes of the scalable VQ-VAE. Raises ValueError for what no model needs.

    ch: width of the layers at full resolution; encoder_ch_mult, decoder_ch_mult: multipliers of it, one for each
    resolution, the full one first, each half of the one before. dropout_p: in res blocks. commit_loss_beta: factor on
    the commitment loss. patch_nums: the scales that it decodes at.
    """

    codebook_size: int = 16384
    codebook_embed_dim: int = 8
    codebook_l2_norm: bool = True
    commit_loss_beta: float = 0.25
    encoder_ch_mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    decoder_ch_mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    z_channels: int = 256
    dropout_p: float = 0.0
    ch: int = 128
    num_res_blocks: int = 2
    patch_nums: tuple[int, ...] = (1, 2, 4)

    def __post_init__(self) -> None:
        resolutions = len(self.encoder_ch_mult)
        if not 1 <= resolutions <= MAX_RESOLUTIONS or len(self.decoder_ch_mult) != resolutions:
            raise ValueError(f"encoder and decoder must have equally many resolutions, 1 to {MAX_RESOLUTIONS}")
        widths = [self.ch * m for m in self.encoder_ch_mult + self.decoder_ch_mult]
        if min(self.ch, self.z_channels, *widths) < 1 or max(self.z_channels, *widths) > MAX_WIDTH:
            raise ValueError(f"layers may be 1 to {MAX_WIDTH} wide")
        if not 2 <= self.codebook_size <= MAX_CODEBOOK_SIZE or not 2 <= self.codebook_embed_dim <= MAX_WIDTH:
            raise ValueError(f"the codebook may have 2 to {MAX_CODEBOOK_SIZE} codes of 2 to {MAX_WIDTH} dimensions")
        if not 0 <= self.dropout_p < 1 or not 0 <= self.commit_loss_beta < math.inf:
            raise ValueError("dropout_p must be in [0, 1), commit_loss_beta not negative")
        if not 1 <= self.num_res_blocks <= MAX_RES_BLOCKS:
            raise ValueError(f"a resolution may have 1 to {MAX_RES_BLOCKS} res blocks")
        scales = list(self.patch_nums)
        if scales[:1] != [1] or scales != sorted(set(scales)) or scales[-1] > MAX_SCALE:
            raise ValueError(f"patch_nums must be ascending scales from 1 to at most {MAX_SCALE}")


class ResBlock(nn.Module):
    """Twice normalisation, SiLU and a 3x3 convolution, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.second = nn.Sequential(
            _norm(outputs), nn.SiLU(), nn.Dropout(dropout), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.second(self.first(x))


class SelfAttention(nn.Module):
    """Between all positions, with one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.project = nn.Conv2d(width, 3 * width, 1)
        self.merge = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.project(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, 2)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return x + self.merge(mixed.transpose(1, 2).unflatten(2, x.shape[2:]))


class Encoder(nn.Module):
    """Pixels (B, 3, H, W) in -1..1 -> (B, z_channels, H / stride, W / stride)."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        widths = [config.ch * m for m in config.encoder_ch_mult]
        layers: list[nn.Module] = [nn.Conv2d(3, config.ch, 3, padding=1)]
        width = config.ch
        for level, outputs in enumerate(widths):
            if level:
                layers.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
            for _ in range(config.num_res_blocks):
                layers.append(ResBlock(width, outputs, config.dropout_p))
                width = outputs
                if level == len(widths) - 1:
                    layers.append(SelfAttention(width))
        self.trunk = nn.Sequential(*layers, *_middle(width, config.dropout_p), _norm(width), nn.SiLU())
        self.out = nn.Conv2d(width, config.z_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.trunk(x))


class Decoder(nn.Module):
    """(B, z_channels, h, w) -> last features (B, ch, H, W)."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        widths = [config.ch * m for m in config.decoder_ch_mult]
        width = widths[-1]
        layers: list[nn.Module] = [nn.Conv2d(config.z_channels, width, 3, padding=1)]
        layers += _middle(width, config.dropout_p)
        for level, outputs in reversed(list(enumerate(widths))):
            for _ in range(config.num_res_blocks + 1):
                layers.append(ResBlock(width, outputs, config.dropout_p))
                width = outputs
                if level == len(widths) - 1:
                    layers.append(SelfAttention(width))
            if level:
                layers += [nn.Upsample(scale_factor=2.0, mode="nearest"), nn.Conv2d(width, width, 3, padding=1)]
        self.trunk = nn.Sequential(*layers, _norm(width), nn.SiLU())
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x)


class ScalableVQVAE(nn.Module):
    """A `RasterTokenizer` of one stage. Linear paths beside encoder and decoder are zero until `init_from_data`."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.config = config
        stride = 2 ** (len(config.encoder_ch_mult) - 1)
        self.strides: tuple[int, ...] = (stride,)
        self.codebook_size = config.codebook_size
        self.scales = config.patch_nums
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.linear_in = zero_init(nn.Conv2d(3, config.z_channels, stride, stride=stride))
        self.linear_out = zero_init(nn.Conv2d(config.z_channels, 3 * stride**2, 1))
        self.quantizer = VectorQuantizer(
            config.z_channels, config.codebook_size, config.codebook_embed_dim, config.codebook_l2_norm
        )
        self.picture = nn.Conv2d(self.decoder.width, 3, 3, padding=1)
        self.heads = nn.ModuleList(
            zero_init(nn.Conv2d(self.decoder.width, 3 * scale**2, 3, padding=1)) for scale in config.patch_nums[1:]
        )

    def encode(self, pixels: Tensor) -> list[Tensor]:
        return [self.quantizer.encode(self._latent(pixels))]

    def decode(self, tokens: list[Tensor], scale: int = 1) -> Tensor:
        if scale not in self.scales:
            raise UsageError(f"This model decodes at {', '.join(map(str, self.scales))} times the size, not {scale}.")
        return self._picture(self.quantizer.lookup(tokens[0]), scale)

    def reconstruct(self, pixels: Tensor) -> Tensor:
        return self._picture(self.quantizer.pass_through(self._latent(pixels)), 1)

    def code_vectors(self) -> list[Tensor]:
        """What each code is decoded from, by stage: (codebook_size, z_channels)."""
        return [self.quantizer.code_vectors()]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        values, _, (vq, commit, entropy, usage) = self.quantizer(self._latent(pixels))
        losses = Losses(vq, self.config.commit_loss_beta * commit, entropy, usage)
        return self._picture(values, 1), losses

    @torch.no_grad()
    def init_from_data(self, crops: Tensor) -> None:
        """From pixels (N, 3, H, W) in 0..1: sets the linear paths to the Karhunen-Loeve transform, the last layers of
        the nets beside them to zero, codebook and projections from the latents. Other layers stay as they are."""
        channels = min(self.config.z_channels, 3 * self.strides[0] ** 2)
        basis = crops.new_zeros(self.config.z_channels, 3, self.strides[0], self.strides[0])
        basis[:channels] = block_basis(crops, self.strides[0], channels)
        init_transforms(self.linear_in, self.linear_out, basis)
        for layer in (self.encoder.out, self.picture):
            zero_init(layer)
        latents = torch.cat([self.linear_in(piece - 0.5) for piece in crops.split(32)])
        init_quantizer(self.quantizer, latents.movedim(1, 3).flatten(0, 2))

    def _latent(self, pixels: Tensor) -> Tensor:
        with torch.autocast(pixels.device.type, enabled=False):
            linear = self.linear_in(pixels.float() - 0.5)
        return linear + self.encoder(2 * pixels - 1).float()

    def _picture(self, values: Tensor, scale: int) -> Tensor:
        """Latent (B, z_channels, h, w) -> the pictures at one of `self.scales`."""
        features = self.decoder(values)
        with torch.autocast(values.device.type, enabled=False):
            linear = F.pixel_shuffle(self.linear_out(values.float()), self.strides[0])
        original_size = linear + self.picture(features).float() + 0.5
        if scale == 1:
            return original_size
        head = self.heads[self.scales.index(scale) - 1]
        larger = F.interpolate(original_size, scale_factor=scale, mode="bicubic", align_corners=False)
        return larger + F.pixel_shuffle(head(features).float(), scale)


def _middle(width: int, dropout: float) -> list[nn.Module]:
    return [ResBlock(width, width, dropout), SelfAttention(width), ResBlock(width, width, dropout)]


def _norm(width: int) -> nn.GroupNorm:
    """32 groups as in VQGAN, fewer where a group would have one channel: in the lowest resolution of a small picture
    that is a single number, of which normalisation leaves nothing."""
    groups = math.gcd(32, width)
    return nn.GroupNorm(groups // 2 if 1 < groups == width else groups, width, eps=1e-6)
