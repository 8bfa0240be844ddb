"""The weight of errors in the latent, for the encoder of the visual tune: `imgcodec.tokenizers.masking`."""

import torch
from torch import Tensor

from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.masking import HIGHEST, KNEE, LUMA, SLOPE
from imgcodec.tokenizers.rvq import ResidualVQ


@torch.inference_mode()
def importance(tokenizer: ResidualVQ, latent: Tensor) -> Tensor:
    """Latent (B, C, h, w) -> the weight (B, h, w) of a squared error at each position; 1 at medium contrast."""
    basis = tokenizer.synthesis.linear.weight[:, :, 0, 0].unflatten(0, (3, BLOCK**2))  # colour, pixel, channel
    luma = torch.einsum("k,kpc->pc", torch.tensor(LUMA, dtype=basis.dtype, device=basis.device), basis)
    contrast = (luma - luma.mean(0)).square().mean(0) * 255**2
    variance = torch.einsum("c,bchw->bhw", contrast, latent.float().square())
    return HIGHEST / (1 + variance / KNEE) ** SLOPE
