"""Tokenizers small enough for tests, and pictures that have structure."""

import torch
from torch.nn import functional as F

from imgcodec.tokenizers.bsq import BSQConfig
from imgcodec.tokenizers.snac import SNACConfig
from imgcodec.tokenizers.vq import VQConfig

SNAC_SMALL = SNACConfig(
    latent_dim=12, codebook_size=32, codebook_dim=6, vq_strides=(4, 2, 1), widths=(8, 6), synthesis_blocks=(1, 1)
)
BSQ_SMALL = BSQConfig(bits_of=(4, 2, 2, 1), latent_dim=12, widths=(8, 6), synthesis_blocks=(1, 1))
VQ_SMALL = VQConfig(
    codebook_size=24, codebook_embed_dim=4, encoder_ch_mult=(1, 2, 2), decoder_ch_mult=(1, 1, 2), z_channels=10, ch=4,
    num_res_blocks=1,
)  # fmt: skip


def pictures(count, side=64, seed=1):
    """Smooth noise of several scales in 0..1, (count, 3, side, side)."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 3, side, side)
    for cells, strength in ((2, 0.25), (8, 0.1), (32, 0.04)):
        noise = torch.randn(count, 3, cells, cells, generator=generator)
        total += strength * F.interpolate(noise, size=(side, side), mode="bilinear")
    return (0.5 + total).clamp(0, 1)


def psnr(a, b):
    return float(-10 * (a - b).square().mean().log10())
