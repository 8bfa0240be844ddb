"""A VQ-VAE in the style of VQGAN (Esser et al. 2021, with the l2-normalised codebook of Yu et al. 2022) that decodes to
several sizes: 1x, 2x and 4x from one evaluation of its decoder.

      pixels ──► encoder ──► project, normalise ──► nearest codeword ──► tokens, stride 2 ** (levels - 1)
                                                                            │
      1x ◄── decoder: res blocks, attention at the lowest resolution ◄──────┘
       │         └── last features ──┬──► 2x head ──►+──► 2x
       └── bicubic enlargement ──────┴───────────────┘    (and 4x likewise)
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.model_file.untrusted import as_model_error, checked_config, fill, read_tensors
from imgcodec.storage import files
from imgcodec.tokenizers.init import block_basis, start_quantizer, start_transforms
from imgcodec.tokenizers.layers import zero_init
from imgcodec.tokenizers.protocol import Losses
from imgcodec.tokenizers.quantizers import VectorQuantizer

FORMAT = "imgcodec-vqvae-1"
LARGEST_FILE = 2**31  # bytes; the full-size one has 300 MB
LARGEST_CONFIG = 2**16  # characters
LARGEST_CODES = 2**18
LARGEST_WIDTH = 2**12
MOST_BLOCKS = 16
MOST_LEVELS = 7
LARGEST_SCALE = 8


@dataclass(frozen=True)
class VQConfig:
    """ch: width at full resolution, which the multipliers are of, one for each halving of it and one before. dropout_p:
    in res blocks. commit_loss_beta: what the commitment loss is multiplied with. patch_nums: scales it decodes at."""

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
        levels = len(self.encoder_ch_mult)
        if not 1 <= levels <= MOST_LEVELS or len(self.decoder_ch_mult) != levels:
            raise ValueError(f"encoder and decoder must have equally many levels, 1 to {MOST_LEVELS}")
        widths = [self.ch * m for m in self.encoder_ch_mult + self.decoder_ch_mult]
        if min(self.ch, self.z_channels, *widths) < 1 or max(self.z_channels, *widths) > LARGEST_WIDTH:
            raise ValueError(f"layers may be 1 to {LARGEST_WIDTH} wide")
        if not 2 <= self.codebook_size <= LARGEST_CODES or not 2 <= self.codebook_embed_dim <= LARGEST_WIDTH:
            raise ValueError(f"the codebook may have 2 to {LARGEST_CODES} codes of 2 to {LARGEST_WIDTH} dimensions")
        if not 0 <= self.dropout_p < 1 or not 0 <= self.commit_loss_beta < math.inf:
            raise ValueError("dropout_p must be in [0, 1), commit_loss_beta not negative")
        if not 1 <= self.num_res_blocks <= MOST_BLOCKS:
            raise ValueError(f"a level may have 1 to {MOST_BLOCKS} res blocks")
        scales = list(self.patch_nums)
        if scales[:1] != [1] or scales != sorted(set(scales)) or scales[-1] > LARGEST_SCALE:
            raise ValueError(f"patch_nums must be ascending scales from 1 to at most {LARGEST_SCALE}")


class ResBlock(nn.Module):
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
    """Of all places to all, one head."""

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
    """Pixels about 0 (B, 3, H, W) -> (B, z_channels, H / stride, W / stride)."""

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
    """A `RasterTokenizer` of one stage. The linear paths beside encoder and decoder are zero until `start_from`."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.config = config
        stride = 2 ** (len(config.encoder_ch_mult) - 1)
        self.strides: tuple[int, ...] = (stride,)
        self.codes = config.codebook_size
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
        return self._pictures(self.quantizer.lookup(tokens[0]), (1, scale))[-1]

    def decode_scales(self, tokens: list[Tensor]) -> dict[int, Tensor]:
        """Pictures of all sizes, by scale, from one evaluation of the decoder."""
        pictures = self._pictures(self.quantizer.lookup(tokens[0]), self.scales)
        return dict(zip(self.scales, pictures, strict=True))

    def code_vectors(self) -> list[Tensor]:
        """What each code stands for, by stage: (codes, z_channels)."""
        return [self.quantizer.code_vectors()]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        pictures, losses = self._reconstruct(pixels, (1,))
        return pictures[0], losses

    def reconstruct_scales(self, pixels: Tensor) -> tuple[list[Tensor], Losses]:
        """As calling it, with the pictures of all sizes, in the order of `scales`."""
        return self._reconstruct(pixels, self.scales)

    def revive(self) -> int:
        """Puts codewords unused since the last call where latents are; see `VectorQuantizer`. How many there were."""
        return self.quantizer.revive()

    @torch.no_grad()
    def start_from(self, crops: Tensor) -> None:
        """From pixels (N, 3, H, W) in 0..1: sets the linear paths to the Karhunen-Loeve transform and what is added to
        them to zero, codebook and projections from the latents. Convolutions keep their initialization."""
        channels = min(self.config.z_channels, 3 * self.strides[0] ** 2)
        basis = crops.new_zeros(self.config.z_channels, 3, self.strides[0], self.strides[0])
        basis[:channels] = block_basis(crops, self.strides[0], channels)
        start_transforms(self.linear_in, self.linear_out, basis)
        for layer in (self.encoder.out, self.picture):
            zero_init(layer)
        latents = torch.cat([self.linear_in(piece - 0.5) for piece in crops.split(32)])
        start_quantizer(self.quantizer, latents.movedim(1, 3).flatten(0, 2))

    def save(self, path: str | Path) -> None:
        """Writes a safetensors file, whole or not at all. Raises CodecError where that fails."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        metadata = {"format": FORMAT, "config": json.dumps(asdict(self.config), sort_keys=True)}
        files.write(path, save(tensors, metadata), force=True)

    @classmethod
    def load(cls, path: str | Path) -> "ScalableVQVAE":
        """What `save` wrote, in evaluation mode. Raises CodecError where the file is missing, damaged or another."""
        path = Path(path)
        if not path.is_file():
            raise CodecError(f"There is no file {path}.")
        tensors, metadata = read_tensors(path, LARGEST_FILE)
        with as_model_error(path.name):
            if metadata.get("format") != FORMAT or len(metadata["config"]) > LARGEST_CONFIG:
                raise ValueError(f"its format is not {FORMAT}")
            with torch.device("meta"):  # no memory before the shapes are known to be right
                model = cls(checked_config(VQConfig, json.loads(metadata["config"])))
            strange = set(tensors) - set(model.state_dict())
            if strange:
                raise ValueError(f"{min(strange)} does not belong there")
            fill(model, {f"tokenizer.{name}": tensor for name, tensor in tensors.items()})
        return model.eval()

    def _latent(self, pixels: Tensor) -> Tensor:
        with torch.autocast(pixels.device.type, enabled=False):
            linear = self.linear_in(pixels.float() - 0.5)
        return linear + self.encoder(2 * pixels - 1).float()

    def _reconstruct(self, pixels: Tensor, scales: tuple[int, ...]) -> tuple[list[Tensor], Losses]:
        values, _, (vq, commit, entropy, usage) = self.quantizer(self._latent(pixels))
        losses = Losses(vq, self.config.commit_loss_beta * commit, entropy, usage)
        return self._pictures(values, scales), losses

    def _pictures(self, values: Tensor, scales: tuple[int, ...]) -> list[Tensor]:
        """Of the scales, each of which is one of `self.scales`."""
        features = self.decoder(values)
        with torch.autocast(values.device.type, enabled=False):
            linear = F.pixel_shuffle(self.linear_out(values.float()), self.strides[0])
        single = linear + self.picture(features).float() + 0.5
        pictures = []
        for scale in scales:
            if scale == 1:
                pictures.append(single)
                continue
            head = self.heads[self.scales.index(scale) - 1]
            larger = F.interpolate(single, scale_factor=scale, mode="bicubic", align_corners=False)
            pictures.append(larger + F.pixel_shuffle(head(features).float(), scale))
        return pictures


def _middle(width: int, dropout: float) -> list[nn.Module]:
    return [ResBlock(width, width, dropout), SelfAttention(width), ResBlock(width, width, dropout)]


def _norm(width: int) -> nn.GroupNorm:
    """32 groups as in VQGAN, fewer where a group would have one channel: in the lowest resolution of a small picture
    that is one number, which normalising leaves nothing of."""
    groups = math.gcd(32, width)
    return nn.GroupNorm(groups // 2 if 1 < groups == width else groups, width, eps=1e-6)
