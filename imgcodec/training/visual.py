"""What the visual tune minds: its loss, and the steps that follow from it.

Squared error weighs all 320 channels of the latent alike, so for PSNR they have nearly equal steps. MS-SSIM and
SSIMULACRA 2.1 mind an error in the lowest frequencies some twenty times as much as one in the highest. So the visual
tune has finer steps in the former and coarser ones in the latter, as a quantization matrix has in JPEG.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from imgcodec.tokenizers.blocks import BLOCK
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.perceptual import ms_ssim, ssimulacra2

STRENGTH = 0.5
"""1 makes the marginal loss of all channels equal, as theory wants for small errors; half of it measured best."""

REACH = 0.4  # of a step: the size of the errors that sensitivity is measured with
LEVELS = (0.3, 0.6)  # of the range of levels


def visual_loss(pixels: Tensor, decoded: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Pixels (B, 3, H, W) in 0..1 and what they are decoded to -> the loss and its parts.

    A doubling of the rate is worth about 3.2 dB of MS-SSIM (-10 log10(1 - x)), 25 points of SSIMULACRA 2.1 and 3.3 dB
    of PSNR at every rate: in these units the parts add up, and no level outweighs another. The share of PSNR keeps
    colours and flat places where they are.
    """
    decoded = decoded.float()
    with torch.autocast(pixels.device.type, enabled=False):
        similarity, score = _metrics(pixels, decoded)
        psnr = -10 * (decoded - pixels).square().mean((1, 2, 3)).clamp(min=1e-10).log10()
    loss = -(similarity / 3.2 + score / 25 + 0.2 * psnr / 3.3).mean()
    return loss, {"loss": loss, "ms_ssim": similarity.mean(), "ssimulacra2": score.mean(), "psnr": psnr.mean()}


def visual_shift(tokenizer: ResidualVQ, pixels: Tensor, probes: int = 6) -> Tensor:
    """What the visual tune adds to the logarithm of the gain of each channel of stage 1, (channels,).

    pixels: (N, 3, 256, 256) in 0..1. The sensitivity of a channel is the derivative of the loss by the energy of an
    error in it: the diagonal of a Hessian, estimated with random signs (Hutchinson 1990) around errors of `REACH`
    steps in all channels at once.
    """
    channels, levels = tokenizer.config.channels[1], tokenizer.config.levels
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros(channels, device=pixels.device)
    for part in LEVELS:
        level = torch.full((1,), part * (levels - 1), device=pixels.device)
        size = (REACH / tokenizer.gain(1, level)).detach()
        found = torch.zeros_like(total)
        for batch in pixels.split(4):
            for _ in range(probes):
                shape = (len(batch), channels, *(n // BLOCK for n in batch.shape[2:]))
                sign = torch.randint(0, 2, shape, generator=generator).to(batch) * 2 - 1
                error = (sign * size).requires_grad_()
                changed = F.pixel_shuffle(F.conv2d(error, tokenizer.synthesis.linear.weight), BLOCK)
                similarity, score = _metrics(batch, batch + changed)
                (gradient,) = torch.autograd.grad(-(similarity / 3.2 + score / 25).sum(), error)
                found += (gradient * sign / size).sum((0, 2, 3))
        total += found / found.mean()
    return STRENGTH * 0.5 * (total / len(LEVELS)).clamp(min=0.03).log()


def _metrics(pixels: Tensor, decoded: Tensor) -> tuple[Tensor, Tensor]:
    """MS-SSIM in dB and SSIMULACRA 2.1, (B,) each."""
    similarity = -10 * (1 - ms_ssim(pixels, decoded)).clamp(min=1e-6).log10()
    return similarity, ssimulacra2(pixels, decoded)
