"""New tokens from a prior over one code a place."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imgcodec.bitstream.errors import UsageError
from imgcodec.priors.integer.exact import ExactLinear
from imgcodec.priors.raster.protocol import LOGIT_UNIT, Place, RasterPrior, to_digits

SHARPEST = 1e-4
"""A lower temperature than this draws the same, and would leave the range of numbers."""


def sample(
    prior: RasterPrior,
    batch: int,
    sizes: Sequence[tuple[int, int]],
    temperature: float = 1.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
    prefix: Sequence[Tensor] | None = None,
) -> list[Tensor]:
    """Tokens (batch, rows, columns) of the stages in `sizes`, drawn digit by digit as the prior predicts them.

    temperature: divides logits; 0 takes the likeliest value. top_k: draws among so many likeliest values of a digit; 0
    among all. generator: on the CPU; the same seed gives the same tokens. prefix: for each of the first stages, int64
    (batch, n), its first n tokens in the order of reading. Raises UsageError for what is not of this kind.
    """
    assert isinstance(prior, nn.Module)
    if not temperature >= 0 or top_k < 0:
        raise UsageError("The temperature and the number of values to draw among cannot be negative.")
    unit = LOGIT_UNIT if any(isinstance(m, ExactLinear) for m in prior.modules()) else 1
    given = [to_digits(p.cpu(), prior.digits) for p in _checked(prior, batch, sizes, prefix or [])]
    begun = torch.zeros(batch, dtype=torch.int64)  # the digits of this token so far

    def code(place: Place, logits: Tensor) -> Tensor:
        number = place.row * sizes[place.stage][1] + place.column
        if place.stage < len(given) and number < given[place.stage].shape[1]:
            return given[place.stage][:, number, place.digit].to(logits.device)
        nats = logits.double().cpu() / unit
        if place.digit == 0:
            begun.zero_()
        units = math.prod(prior.digits[place.digit + 1 :])
        smallest = (begun[:, None] * nats.shape[1] + torch.arange(nats.shape[1])) * units
        nats = nats.masked_fill(smallest >= prior.codes, -torch.inf)  # the digits may be enough for more codes
        if 0 < top_k < nats.shape[1]:
            nats = nats.masked_fill(nats < nats.topk(top_k).values[:, -1:], -torch.inf)
        if temperature == 0:
            drawn = nats.argmax(1)
        else:
            drawn = torch.multinomial((nats / max(temperature, SHARPEST)).softmax(1), 1, generator=generator)[:, 0]
        begun.mul_(nats.shape[1]).add_(drawn)
        return drawn.to(logits.device)

    return prior.walk(batch, sizes, code)


def _checked(
    prior: RasterPrior, batch: int, sizes: Sequence[tuple[int, int]], prefix: Sequence[Tensor]
) -> Sequence[Tensor]:
    for tokens, (rows, columns) in zip(prefix, sizes, strict=False):
        if tokens.dim() != 2 or len(tokens) != batch or tokens.shape[1] > rows * columns or tokens.is_floating_point():
            raise UsageError("Tokens to begin with must be integers, a row for each picture, and no more than it has.")
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < prior.codes:
            raise UsageError(f"Tokens to begin with must be 0 to {prior.codes - 1}.")
    return prefix
