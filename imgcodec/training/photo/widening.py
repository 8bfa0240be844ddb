"""The steps of stage 1 that are wider where there is contrast (`ResidualVQ.widening`), as training begins with them."""

import torch
from torch import Tensor

from imgcodec.tokenizers.masking import contrast
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.photo.visual import LEVELS

WIDENING_KNEE = 200.0
"""The variance of luma, 0..255, at which steps begin to be wider."""


@torch.no_grad()
def begin_widening(tokenizer: ResidualVQ, pixels: Tensor) -> None:
    """Initialises the widening of steps. The logarithms of steps keep their mean over pixels (N, 3, 256, 256) in 0..1,
    so that a quality is about what it was."""
    basis = tokenizer.synthesis.linear.weight.float().cpu().numpy()
    tokenizer.contrast.copy_(torch.from_numpy(contrast(basis) / WIDENING_KNEE))
    if tokenizer.config.visual and tokenizer.visual_shift.any():  # or the tune is still to come, with its own
        add_widening_of_visual_tune(tokenizer, pixels)
    tokenizer.log_gain[1].add_(_mean_logarithm(tokenizer, pixels, 0))


@torch.no_grad()
def add_widening_of_visual_tune(tokenizer: ResidualVQ, pixels: Tensor) -> None:
    """The same for steps of the visual tune that were found without widening: they follow those for PSNR."""
    of_psnr, of_visual = (_mean_logarithm(tokenizer, pixels, tune) for tune in (0, 1))
    tokenizer.visual_shift.add_(of_visual - of_psnr)


@torch.no_grad()
def change_widening(tokenizer: ResidualVQ, before: ResidualVQ, pixels: Tensor) -> None:
    """For a tokenizer that has the weights of another, with other exponents. The mean logarithm of each tune's steps
    stays the same."""
    if tokenizer.config.widening == before.config.widening:
        return
    psnr = _mean_logarithm(tokenizer, pixels, 0) - _mean_logarithm(before, pixels, 0)
    if tokenizer.config.visual and before.config.visual and before.visual_shift.any():
        visual = _mean_logarithm(tokenizer, pixels, 1) - _mean_logarithm(before, pixels, 1)
        tokenizer.visual_shift.add_(visual - psnr)
    tokenizer.log_gain[1].add_(psnr)


def _mean_logarithm(tokenizer: ResidualVQ, pixels: Tensor, tune: int) -> Tensor:
    """Of the widening of a tune's steps."""
    levels = tokenizer.config.levels
    latent = torch.cat([tokenizer.analysis(batch) for batch in pixels.split(4)])
    found = []
    for part in LEVELS:
        level = torch.full((len(latent),), tune * levels + part * (levels - 1), device=pixels.device)
        _, values = tokenizer.ste_residuals(latent, level)
        found.append(tokenizer.widening_of_values(values, level).log().mean())
    return torch.stack(found).mean()
