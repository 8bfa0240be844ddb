"""What the raster priors have in common: raster transformer and PixelCNN, for tokenizers with one code per position.

Tokens come one after the other in raster order: coarse stages first, each row by row. Tokens of a large codebook are
split into digits, the most significant first: 16384 codes are two digits of 128. So no distribution has more symbols
than the range coder takes, and each digit is predicted from those before it.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class DigitPosition(NamedTuple):
    """Stage, row and column of a token, and which of its digits, from 0."""

    stage: int
    row: int
    column: int
    digit: int


DigitCoder = Callable[[DigitPosition, Tensor], Tensor]
"""(position, logits (B, digits[position.digit])) -> the digit there, int64 (B,). It writes given tokens, reads them or
samples them. Logits are in nats; in exact arithmetic, integers in units of 1/LOGIT_UNIT."""

LOGIT_UNIT = 32


class RasterPrior(Protocol):
    """The interface of a prior, a pure `nn.Module`: in float, with fake quantization or exact.

    sides: width and height of a full tile in tokens, by stage, coarse first. A tile may be smaller.
    digits: the number of values of each digit of a token; their product is at least `codebook_size`.
    codebook_size: tokens are 0..codebook_size - 1.
    """

    sides: tuple[int, ...]
    digits: tuple[int, ...]
    codebook_size: int

    def forward(self, tokens: list[Tensor]) -> list[list[Tensor]]:
        """Tokens (B, h, w) of every stage -> logits of every stage and digit, (B, digits[d], h, w), all at once. Those
        of a digit depend on earlier tokens and on the earlier digits of its own token only."""

    def step_through(self, batch: int, sizes: Sequence[tuple[int, int]], code: DigitCoder) -> list[Tensor]:
        """Calls `code` for every digit, in coding order; returns the tokens (batch, h, w) of the stages in `sizes`
        (rows, columns), which may be only the first ones. What was computed for earlier tokens is kept, not computed
        again. The logits are those of `forward`, in exact arithmetic to the bit."""


def to_digits(tokens: Tensor, digits: tuple[int, ...]) -> Tensor:
    """Tokens (...) -> digits (..., len(digits)). Divides, because bit shifts are wrong on some devices."""
    units = torch.tensor([math.prod(digits[i + 1 :]) for i in range(len(digits))], device=tokens.device)
    sizes = torch.tensor(digits, device=tokens.device)
    return torch.div(tokens[..., None], units, rounding_mode="floor") % sizes


def from_digits(values: Tensor, digits: tuple[int, ...]) -> Tensor:
    """The inverse of `to_digits`."""
    units = torch.tensor([math.prod(digits[i + 1 :]) for i in range(len(digits))], device=values.device)
    return (values * units).sum(-1)
