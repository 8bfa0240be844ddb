"""Integer layers of the raster priors: those of `imgcodec.priors.integer.exact` for sequences of positions.

Numbers are (..., channels), the channels last. A layer gives the same integers for many positions at once (`forward`)
as for one after the other (`step`), because every sum is exact (see `exact`).
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.priors.integer import constants, exact
from imgcodec.priors.integer.bounds import check_fractions
from imgcodec.priors.integer.constants import BoundError
from imgcodec.priors.integer.exact import ExactLinear, operand

MAX_CONTEXT = 512
"""Positions that attention sees, its own among them. 512 * 255 * 127 < 2**24, and 512 * 255 < 2**17."""

GATE_FRACTION = 6  # gates are tables in steps of 1/64
GATE_RANGE = 8 * 2**GATE_FRACTION  # from -8 to 8


class ExactDense(ExactLinear):
    """ExactLinear with the channels last, (..., inputs) -> (..., outputs)."""

    def __init__(self, weight: Tensor, bias: Tensor, shift: Tensor, fraction: int | None, positive: bool) -> None:
        super().__init__(weight, bias, shift, fraction, positive)
        self.factor = torch.exp2(-shift.float())

    def forward(self, x: Tensor) -> Tensor:
        if self.fraction is not None:
            x = operand(x, self.fraction, self.positive)
        return F.linear(x, self.weight.flatten(1), self.bias).mul_(self.factor).round_()


class ExactEmbedding(nn.Module):
    """A row of integers for every index: weight[index] * 2**-shift, (...) -> (..., width).

    weight (rows, width) within -127..127, shift (width,) from -24 to 0. uses: how many rows are summed at most.
    """

    weight: Tensor
    shift: Tensor
    factor: Tensor

    def __init__(self, weight: Tensor, shift: Tensor, uses: int) -> None:
        super().__init__()
        self.uses = uses
        self.register_buffer("weight", weight.float())
        self.register_buffer("shift", shift.float())
        self.register_buffer("factor", torch.exp2(-shift.float()), persistent=False)

    def forward(self, index: Tensor) -> Tensor:
        return F.embedding(index, self.weight).mul_(self.factor)

    def output_bound(self) -> float:
        """Largest |sum of rows|. Raises BoundError where one is not exact."""
        if any(not torch.isfinite(t).all() or (t != t.round()).any() for t in (self.weight, self.shift)):
            raise BoundError("an embedding has other entries than integers")
        low, high = float(self.shift.min()), float(self.shift.max())
        if float(self.weight.abs().max()) > constants.MAX_OPERAND or not -constants.MAX_SHIFT <= low <= high <= 0:
            raise BoundError("an embedding, or its shift, is out of range")
        bound = self.uses * float((self.weight.abs().amax(0) * self.factor).max())
        if bound >= constants.LIMIT:
            raise BoundError("sums of rows are not exact in float32")
        return bound


class CachedAttention(nn.Module, ABC):
    """Causal attention with a cache, in float and in integers. Position i sees positions i - context + 1 to i.

    A cache (2, batch * heads, positions, size) holds the keys and the values of earlier positions.
    """

    project: nn.Module
    merge: nn.Module
    heads: int
    context: int

    @abstractmethod
    def operands(self, x: Tensor) -> Tensor:
        """Queries, keys and values (..., 3 * C) as operands of products."""

    @abstractmethod
    def mix(self, products: Tensor, values: Tensor) -> Tensor:
        """query . key (..., n, m), -inf where masked, and values (..., m, size) -> means of values (..., n, size)."""

    def empty_cache(self, x: Tensor, positions: int) -> Tensor:
        """A cache for a batch like x (B, C)."""
        batch, channels = x.shape
        return x.new_zeros(2, batch * self.heads, positions, channels // self.heads)

    def step(self, x: Tensor, cache: Tensor, at: int) -> Tensor:
        """x (B, C) of position `at`, and the cache of those before it -> (B, C). Writes this position into the
        cache."""
        return self.merge(self.attend_step(self.project(x), cache, at))

    def attend_step(self, projected: Tensor, cache: Tensor, at: int) -> Tensor:
        """`step` without its two products: query, key and value (B, 3 * C) -> mixed values (B, C)."""
        batch = len(projected)
        numbers = self.operands(projected).view(batch, 3, self.heads, -1)
        cache.unflatten(1, (batch, self.heads))[:, :, :, at] = numbers[:, 1:].transpose(0, 1)
        keys, values = cache[:, :, max(0, at + 1 - self.context) : at + 1]
        query = numbers[:, 0].reshape(batch * self.heads, 1, -1)
        return self.mix(torch.bmm(query, keys.transpose(1, 2)), values).view(batch, -1)


class ExactCausalAttention(CachedAttention):
    """Integer softmax attention to earlier positions, (B, N, C) -> (B, N, C).

        score = round(query . key * 2**-shift)                                in sixteenths
        mixed = floor(sum(e * value) * 2**(FRACTION - fraction of value) / sum(e)),  e = EXPONENTIALS[largest - score]

    fractions: of query, key and value. The bounds are those of ExactAttention, with `context` for window**2.
    """

    unit: Tensor

    def __init__(
        self, project: ExactDense, merge: ExactDense, fractions: tuple[int, int, int], heads: int, context: int
    ) -> None:
        super().__init__()
        self.project: ExactDense = project
        self.merge: ExactDense = merge
        self.fractions, self.heads, self.context = fractions, heads, context
        units = torch.exp2(exact.constant(fractions) - constants.FRACTION)
        self.register_buffer("unit", units.repeat_interleave(project.weight.shape[0] // 3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(self.attend(self.project(x)))

    def attend(self, x: Tensor) -> Tensor:
        """Queries, keys and values (B, N, 3 * C) -> mixed values (B, N, C)."""
        query, key, value = self.operands(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        masked = ~causal_mask(x.shape[1], self.context, x.device)
        products = (query @ key.transpose(-1, -2)).masked_fill_(masked, -math.inf)
        return self.mix(products, value).transpose(1, 2).flatten(2)

    def operands(self, x: Tensor) -> Tensor:
        return torch.mul(x, self.unit).round_().clamp_(-constants.MAX_OPERAND, constants.MAX_OPERAND)

    def mix(self, products: Tensor, values: Tensor) -> Tensor:
        scores = products.mul_(2.0**-self.shift).round_()
        below_max = scores.amax(-1, keepdim=True).sub(scores).clamp_(max=len(exact.EXPONENTIALS) - 1)
        weights = F.embedding(below_max.int(), exact.EXPONENTIALS.to(values.device)[:, None]).squeeze(-1)
        numerator, denominator = (weights @ values).double(), weights.sum(-1, keepdim=True).double()
        return numerator.mul_(2.0 ** (constants.FRACTION - self.fractions[2])).div_(denominator).floor_().float()

    @property
    def shift(self) -> int:
        """As ExactAttention.shift."""
        return self.fractions[0] + self.fractions[1] + constants.SCORE_DIVISOR - constants.SCORE_FRACTION

    def output_bound(self) -> float:
        """As ExactAttention.output_bound."""
        self.project.output_bound()
        check_fractions(*self.fractions)
        products = self.project.weight.shape[0] // 3 // self.heads * constants.MAX_OPERAND**2
        if self.context > MAX_CONTEXT or max(products, products * 2.0**-self.shift) >= constants.LIMIT:
            raise BoundError("attention whose sums are not exact in float32")
        return self.merge.output_bound()


def causal_mask(positions: int, context: int, device: torch.device) -> Tensor:
    """bool (N, N): whether the position of the row sees that of the column."""
    at = torch.arange(positions, device=device)
    distance = at[:, None] - at
    return (distance >= 0) & (distance < context)


_STEPS = [i / 2**GATE_FRACTION for i in range(-GATE_RANGE, GATE_RANGE + 1)]
GATES = exact.constant(
    [*(round(256 * math.tanh(t)) for t in _STEPS), *(round(256 / (1 + math.exp(-t))) for t in _STEPS)]
)
"""256 * tanh(i/64), i from -512 to 512, rounded; then 256 * sigmoid(i/64)."""


class ExactGate(nn.Module):
    """tanh of the first half of the channels times the sigmoid of the second, (..., 2 * C) -> (..., C), by table."""

    def forward(self, x: Tensor) -> Tensor:
        index = torch.mul(x, 2.0 ** (GATE_FRACTION - constants.FRACTION)).round_().clamp_(-GATE_RANGE, GATE_RANGE)
        first, second = index.add_(GATE_RANGE).int().chunk(2, -1)
        gates = GATES.to(x.device)[:, None]
        tanh = F.embedding(first, gates[: 2 * GATE_RANGE + 1]).squeeze(-1)
        sigmoid = F.embedding(second, gates[2 * GATE_RANGE + 1 :]).squeeze(-1)
        return tanh.mul_(sigmoid).mul_(2.0**-constants.FRACTION).round_()

    def output_bound(self) -> float:
        """The largest output, 1."""
        return 2.0**constants.FRACTION
