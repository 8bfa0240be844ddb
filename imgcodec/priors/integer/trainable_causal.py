"""Layers of the raster priors in training; `export` makes those of `exact_causal`.

As `imgcodec.priors.integer.trainable`: float first, then fake quantization. Numbers are (..., channels).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.priors.integer import constants, exact_causal
from imgcodec.priors.integer.exact_causal import CachedAttention, causal_mask
from imgcodec.priors.integer.trainable import Linear, Operand, fake_weight, integer_product, restore_product


class Dense(Linear):
    """Linear with the channels last, (..., inputs) -> (..., outputs)."""

    def forward(self, x: Tensor) -> Tensor:
        if self.operand is not None:
            x = self.operand(x)
        weight = fake_weight(self.weight) if self.quantized else self.weight
        return F.linear(x, weight.flatten(1), self.bias)

    def export(self) -> exact_causal.ExactDense:
        """The same layer in integers."""
        return exact_causal.ExactDense(*integer_product(self))


class Embedding(nn.Module):
    """A learned row for every index, (...) -> (..., width).

    uses: how many of its rows are summed at most. deviation: root mean square of the first weights.
    """

    def __init__(self, count: int, width: int, uses: int = 1, deviation: float = 1.0) -> None:
        super().__init__()
        self.uses = uses
        self.weight = nn.Parameter(torch.empty(count, width))
        # uniform: on the meta device, on which model files are checked, normal numbers cost a second of imports
        nn.init.uniform_(self.weight, -(3**0.5) * deviation, 3**0.5 * deviation)
        self.quantized = False

    def forward(self, index: Tensor) -> Tensor:
        rows = F.embedding(index, self.weight)
        if not self.quantized:
            return rows
        unit = torch.exp2(-self.fraction())
        return rows + ((rows / unit).round() * unit - rows).detach()

    def fraction(self) -> Tensor:
        """log2 of 1 / unit for each channel, the largest that keeps its rounded rows within 127; at most FRACTION."""
        largest = self.weight.detach().abs().amax(0).clamp(min=2.0**-12)
        return torch.floor(torch.log2(constants.MAX_OPERAND / largest)).clamp(max=constants.FRACTION)

    def export(self) -> exact_causal.ExactEmbedding:
        """The same embedding in integers."""
        fraction = self.fraction()
        weight = (self.weight.detach() * torch.exp2(fraction)).round()
        return exact_causal.ExactEmbedding(weight, fraction - constants.FRACTION, self.uses)

    def restore(self, source: exact_causal.ExactEmbedding) -> None:
        """Takes the rows of an exported embedding."""
        self.weight.data.copy_(source.weight * source.factor * 2.0**-constants.FRACTION)
        self.quantized = True


class CausalAttention(CachedAttention):
    """Multi-head causal attention, (B, N, C) -> (B, N, C)."""

    def __init__(self, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.heads, self.context = heads, context
        self.project: Dense = Dense(width, 3 * width)
        self.merge: Dense = Dense(width, width)
        nn.init.zeros_(self.merge.weight)
        self.query, self.key, self.value = Operand(), Operand(), Operand()

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.operands(self.project(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        whole = x.shape[1] <= self.context
        mask = None if whole else causal_mask(x.shape[1], self.context, x.device)
        scale = 2.0**-constants.SCORE_DIVISOR
        mixed = F.scaled_dot_product_attention(query, key, value, mask, is_causal=whole, scale=scale)
        return self.merge(mixed.transpose(1, 2).flatten(2))

    def operands(self, x: Tensor) -> Tensor:
        query, key, value = x.chunk(3, -1)
        return torch.cat([self.query(query), self.key(key), self.value(value)], -1)

    def mix(self, products: Tensor, values: Tensor) -> Tensor:
        return (products * 2.0**-constants.SCORE_DIVISOR).softmax(-1) @ values

    def export(self) -> exact_causal.ExactCausalAttention:
        """The same layer in integers."""
        fractions = (self.query.fraction, self.key.fraction, self.value.fraction)
        return exact_causal.ExactCausalAttention(
            self.project.export(), self.merge.export(), fractions, self.heads, self.context
        )

    def restore(self, source: exact_causal.ExactCausalAttention) -> None:
        """Takes the numbers of an exported layer."""
        restore_product(self.project, source.project)
        restore_product(self.merge, source.merge)
        for layer, fraction in zip((self.query, self.key, self.value), source.fractions, strict=True):
            layer.fraction = fraction


class Gate(nn.Module):
    """tanh of the first half of the channels times the sigmoid of the second, (..., 2 * C) -> (..., C)."""

    def __init__(self) -> None:
        super().__init__()
        self.quantized = False

    def forward(self, x: Tensor) -> Tensor:
        if self.quantized:
            x = _rounded(x.float(), exact_causal.GATE_FRACTION).clamp(-8, 8)
        first, second = x.chunk(2, -1)
        tanh, sigmoid = first.tanh(), second.sigmoid()
        if not self.quantized:
            return tanh * sigmoid
        return _rounded(_rounded(tanh, constants.FRACTION) * _rounded(sigmoid, constants.FRACTION), constants.FRACTION)

    def export(self) -> exact_causal.ExactGate:
        """The same function as a table."""
        return exact_causal.ExactGate()

    def restore(self, source: exact_causal.ExactGate) -> None:
        """It has no numbers of its own."""
        self.quantized = True


def _rounded(x: Tensor, fraction: int) -> Tensor:
    """To multiples of 2**-fraction, the gradient passed through."""
    return x + ((x * 2.0**fraction).round() * 2.0**-fraction - x).detach()
