"""The weight of errors in the latent, for the encoder of the visual tune: `imgcodec.tokenizers.masking`."""

import torch
from torch import Tensor

from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.masking import HIGHEST, KNEE, LUMA, SLOPE
from imgcodec.tokenizers.rvq import ResidualVQ


@torch.no_grad()
def importance(tokenizer: ResidualVQ, latent: Tensor, values: Tensor, level: Tensor) -> Tensor:
    """Latent (B, C, h, w), what becomes tokens of stage 1 (B, C, h, w) and level (B,) -> the weight (B, h, w) of a
    squared error at each position, in steps: wide ones are larger errors."""
    # no matrix products, which autocast would round, and no tensor from the CPU, which recording for a GPU forbids
    red, green, blue = tokenizer.synthesis.linear.weight[:, :, 0, 0].unflatten(0, (3, BLOCK**2))  # pixel, channel
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    contrast = (luma - luma.mean(0)).square().mean(0) * 255**2
    variance = (latent.float().square() * contrast[:, None, None]).sum(1)
    widening = tokenizer.widening_of_values(values, level)[:, 0]
    return HIGHEST / (1 + variance / KNEE) ** SLOPE * widening**2
