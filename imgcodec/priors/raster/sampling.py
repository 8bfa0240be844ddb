"""Sampling tokens from a raster prior."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imgcodec.bitstream.errors import UsageError
from imgcodec.priors.integer.exact import ExactLinear
from imgcodec.priors.raster.protocol import LOGIT_UNIT, DigitPosition, RasterPrior, to_digits

MIN_TEMPERATURE = 1e-4
"""Lower ones draw the same tokens, and logits divided by them would overflow."""


def sample(
    prior: RasterPrior,
    batch: int,
    sizes: Sequence[tuple[int, int]],
    temperature: float = 1.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
    prefix: Sequence[Tensor] | None = None,
) -> list[Tensor]:
    """Tokens (batch, rows, columns) of the stages in `sizes`, drawn digit by digit from the prior's distributions.

    temperature: divides logits; 0 takes the likeliest value. top_k: draws from so many of the likeliest values of a
    digit; 0 from all. generator: on the CPU; the same seed gives the same tokens. prefix: given tokens, int64 (batch,
    n) for each of the first stages, the first n of it in raster order. Raises UsageError for other arguments.
    """
    assert isinstance(prior, nn.Module)
    if not temperature >= 0 or top_k < 0:
        raise UsageError("The temperature and the number of values to draw among cannot be negative.")
    unit = LOGIT_UNIT if any(isinstance(m, ExactLinear) for m in prior.modules()) else 1
    given = [to_digits(p.cpu(), prior.digits) for p in _checked(prior, batch, sizes, prefix or [])]
    begun = torch.zeros(batch, dtype=torch.int64, device="cpu")  # the number that the digits of this token spell so far

    def code(at: DigitPosition, logits: Tensor) -> Tensor:
        number = at.row * sizes[at.stage][1] + at.column
        if at.stage < len(given) and number < given[at.stage].shape[1]:
            return given[at.stage][:, number, at.digit].to(logits.device)
        nats = logits.double().cpu() / unit
        if at.digit == 0:
            begun.zero_()
        units = math.prod(prior.digits[at.digit + 1 :])
        smallest = (begun[:, None] * nats.shape[1] + torch.arange(nats.shape[1], device=nats.device)) * units
        nats = nats.masked_fill(
            smallest >= prior.codebook_size, -torch.inf
        )  # digits can spell more than there are codes
        if 0 < top_k < nats.shape[1]:
            nats = nats.masked_fill(nats < nats.topk(top_k).values[:, -1:], -torch.inf)
        if temperature == 0:
            drawn = nats.argmax(1)
        else:
            drawn = torch.multinomial((nats / max(temperature, MIN_TEMPERATURE)).softmax(1), 1, generator=generator)[
                :, 0
            ]
        begun.mul_(nats.shape[1]).add_(drawn)
        return drawn.to(logits.device)

    return prior.step_through(batch, sizes, code)


def _checked(
    prior: RasterPrior, batch: int, sizes: Sequence[tuple[int, int]], prefix: Sequence[Tensor]
) -> Sequence[Tensor]:
    for tokens, (rows, columns) in zip(prefix, sizes, strict=False):
        if tokens.dim() != 2 or len(tokens) != batch or tokens.shape[1] > rows * columns or tokens.is_floating_point():
            raise UsageError("Tokens to begin with must be integers, a row for each picture, and no more than it has.")
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < prior.codebook_size:
            raise UsageError(f"Tokens to begin with must be 0 to {prior.codebook_size - 1}.")
    return prefix
