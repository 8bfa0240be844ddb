"""What the priors over one code a place have in common: raster transformer and PixelCNN.

Tokens come one after the other: coarse stages first, each row by row. Codes of a large codebook are written as digits,
most significant first: 16384 codes are two digits of 128. So no distribution is over more symbols than it can be
coded with, and each digit's is predicted knowing the ones before it.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Place(NamedTuple):
    """Where a digit stands: stage, row and column of its token, and which digit of it, from 0."""

    stage: int
    row: int
    column: int
    digit: int


Code = Callable[[Place, Tensor], Tensor]
"""(place, logits (B, digits[place.digit])) -> the digit there, int64 (B,). Who calls a walk decides what it does: write
tokens that are given, read them, sample them. Logits are in nats; in exact arithmetic, integers in units of
1/LOGIT_UNIT."""

LOGIT_UNIT = 32


class RasterPrior(Protocol):
    """A pure `nn.Module` of this shape, in float, with fake quantization or exact.

    sides: tokens a full tile is wide and high, by stage, coarse first. A tile may be smaller.
    digits: how many values each digit of a token has; their product is at least the number of codes.
    codes: tokens are 0..codes - 1.
    """

    sides: tuple[int, ...]
    digits: tuple[int, ...]
    codes: int

    def forward(self, tokens: list[Tensor]) -> list[list[Tensor]]:
        """Tokens (B, h, w) of every stage -> logits of every stage and digit, (B, digits[d], h, w), all at once: those
        at a place depend on the tokens before it alone, and on the digits before this one."""

    def walk(self, batch: int, sizes: Sequence[tuple[int, int]], code: Code) -> list[Tensor]:
        """Calls `code` for every digit, in order; gives the tokens (batch, h, w) of the stages in `sizes` (rows,
        columns), which may be only the first ones. What was computed for earlier places is kept, not computed again.
        The logits are those of `forward`: bit for bit in exact arithmetic."""


def to_digits(tokens: Tensor, digits: tuple[int, ...]) -> Tensor:
    """Tokens (...) -> digits (..., len(digits)). By division: bit shifts are not right on every device."""
    units = torch.tensor([math.prod(digits[i + 1 :]) for i in range(len(digits))], device=tokens.device)
    sizes = torch.tensor(digits, device=tokens.device)
    return torch.div(tokens[..., None], units, rounding_mode="floor") % sizes


def from_digits(values: Tensor, digits: tuple[int, ...]) -> Tensor:
    """The inverse of `to_digits`."""
    units = torch.tensor([math.prod(digits[i + 1 :]) for i in range(len(digits))], device=values.device)
    return (values * units).sum(-1)
