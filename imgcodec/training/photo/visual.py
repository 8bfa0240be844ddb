"""The quantization steps of the visual tune, from the sensitivity of its loss (`visual_loss` of the metrics).

Squared error weighs all 320 channels of the latent alike, so for PSNR they have nearly equal steps. For MS-SSIM and
SSIMULACRA 2.1 an error in the lowest frequencies costs some twenty times as much as one in the highest. So the visual
tune has finer steps in the former and coarser ones in the latter, as the quantization matrix of JPEG.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from imgcodec.metrics.differentiable import structure_and_score
from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.rvq import ResidualVQ

STRENGTH = 0.5
"""1 would make the marginal loss of all channels equal, which is optimal for small errors; half of it was the best."""

ERROR = 0.4  # in steps: the size of the errors that sensitivity is measured with
LEVELS = (0.3, 0.6)  # where it is measured, as fractions of the range of levels


def visual_shift(tokenizer: ResidualVQ, pixels: Tensor, probes: int = 6) -> Tensor:
    """The difference in the logarithm of the gain of each channel of stage 1 from the tune psnr, (channels,).

    pixels: (N, 3, 256, 256) in 0..1. The sensitivity of a channel is the derivative of the loss by the energy of an
    error in it: the diagonal of a Hessian, estimated with random signs (Hutchinson 1990) around errors of `ERROR`
    steps in all channels at once.
    """
    channels, levels = tokenizer.config.channels[1], tokenizer.config.levels
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros(channels, device=pixels.device)
    for part in LEVELS:
        level = torch.full((1,), part * (levels - 1), device=pixels.device)
        size = (ERROR / tokenizer.gain(1, level)).detach()
        sensitivity = torch.zeros_like(total)
        for batch in pixels.split(4):
            for _ in range(probes):
                shape = (len(batch), channels, *(n // BLOCK for n in batch.shape[2:]))
                sign = torch.randint(0, 2, shape, generator=generator).to(batch) * 2 - 1
                error = (sign * size).requires_grad_()
                changed = F.pixel_shuffle(F.conv2d(error, tokenizer.synthesis.linear.weight), BLOCK)
                similarity, score = structure_and_score(batch, batch + changed)
                (gradient,) = torch.autograd.grad(-(similarity / 3.2 + score / 25).sum(), error)
                sensitivity += (gradient * sign / size).sum((0, 2, 3))
        total += sensitivity / sensitivity.mean()
    return STRENGTH * 0.5 * (total / len(LEVELS)).clamp(min=0.03).log()
