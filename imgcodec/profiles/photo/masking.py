"""Contrast masking: the eye finds an error in a smooth sky, and hardly in foliage.

SSIM models it by dividing by the local variance. Measured by the derivative of MS-SSIM and SSIMULACRA 2.1 (see
`imgcodec.training.photo.visual`) on 24 photographs, an error in blocks of 16 x 16 pixels with hardly any contrast
counts five times as much as one in the busiest. The encoder of the visual tune chooses tokens with that in mind; a
decoder need not know.
"""

import torch
from torch import Tensor

from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.transforms import BLOCK

LUMA = (0.299, 0.587, 0.114)
HIGHEST, KNEE, SLOPE = 1.65, 170.0, 0.62  # fitted to what was measured; the knee is a variance of luma, 0..255


@torch.inference_mode()
def importance(tokenizer: ResidualVQ, latent: Tensor) -> Tensor:
    """Latent (B, C, h, w) -> the weight (B, h, w) of a squared error at each position; 1 at medium contrast."""
    basis = tokenizer.synthesis.linear.weight[:, :, 0, 0].unflatten(0, (3, BLOCK**2))  # colour, pixel, channel
    luma = torch.einsum("k,kpc->pc", torch.tensor(LUMA, dtype=basis.dtype, device=basis.device), basis)
    contrast = (luma - luma.mean(0)).square().mean(0) * 255**2
    variance = torch.einsum("c,bchw->bhw", contrast, latent.float().square())
    return HIGHEST / (1 + variance / KNEE) ** SLOPE
