"""A decoder-only transformer over the tokens of a tile, one position a token.

    tokens to the left, above, and of the coarser stages ──► mix ──► [ block ] x n ──► head ──► digits, one by one
                                   stage, row and column ─────┘

What goes in at a position is what is known there already: the embedded tokens to its left, above it on the left, above
it and above it on the right (a learned one where there is none), and, in a finer stage, the sum of those of the coarser
stages that cover it. Attention looks at this position and those before it, `context` in all, coarser stages first.

There is no normalisation: as in the `photo` prior, operands are clamped, and blocks begin as nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imgcodec.priors.integer.exact_causal import LARGEST_CONTEXT
from imgcodec.priors.integer.trainable_causal import CausalAttention, Dense, Table
from imgcodec.priors.raster.protocol import LOGIT_UNIT, Code, Place, to_digits

LOGIT_FRACTION = int(math.log2(LOGIT_UNIT))
MOST_STAGES = 8
MOST_BLOCKS = 64
MOST_POSITIONS = 2**14
MOST_VALUES = 2**12  # of a digit
LARGEST_TABLE = 2**14  # rows of embedded tokens of a stage; tokens of more codes are embedded digit by digit


@dataclass(frozen=True)
class RasterTransformerConfig:
    """Sizes of the raster transformer.

    sides: tokens a full tile is wide and high, by stage, each a multiple of the one before. codes: tokens of every
    stage are 0..codes - 1. digits: how they are split, see `imgcodec.priors.raster.protocol`. context: positions that
    attention looks at, itself among them, at most 512. Raises ValueError for what does not fit together.
    """

    width: int = 192
    hidden: int = 512
    heads: int = 6
    blocks: int = 4
    sides: tuple[int, ...] = (16,)
    codes: int = 4096
    digits: tuple[int, ...] = (64, 64)
    context: int = LARGEST_CONTEXT

    def __post_init__(self) -> None:
        if min(self.width, self.hidden, self.heads, self.blocks) < 1 or self.width % self.heads:
            raise ValueError("no layer can be empty, and heads must divide the width")
        if self.blocks > MOST_BLOCKS:
            raise ValueError(f"there may be {MOST_BLOCKS} blocks")
        pairs = zip(self.sides, self.sides[1:], strict=False)
        if not 1 <= len(self.sides) <= MOST_STAGES or min(self.sides) < 1 or any(b % a for a, b in pairs):
            raise ValueError(f"there must be 1 to {MOST_STAGES} stages, each side a multiple of the one before")
        if sum(side**2 for side in self.sides) > MOST_POSITIONS:
            raise ValueError(f"a tile can have no more than {MOST_POSITIONS} tokens")
        if not self.digits or not all(2 <= values <= MOST_VALUES for values in self.digits):
            raise ValueError(f"a digit must have 2 to {MOST_VALUES} values")
        if not 2 <= self.codes <= math.prod(self.digits):
            raise ValueError("the digits must be enough for all codes")
        if not 1 <= self.context <= LARGEST_CONTEXT:
            raise ValueError(f"attention can look at 1 to {LARGEST_CONTEXT} positions")


class Block(nn.Module):
    """Transformer block on the state (B, N, width): attention to earlier positions, feed-forward."""

    def __init__(self, config: RasterTransformerConfig) -> None:
        super().__init__()
        self.attention = CausalAttention(config.width, config.heads, config.context)
        self.expand = Dense(config.width, config.hidden)
        self.contract = Dense(config.hidden, config.width, positive=True)
        nn.init.zeros_(self.contract.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.contract(self.expand(x))

    def step(self, x: Tensor, cache: Tensor, at: int) -> Tensor:
        """As `forward`, of position `at` alone, (B, width)."""
        x = x + self.attention.step(x, cache, at)
        return x + self.contract(self.expand(x))


class Head(nn.Module):
    """State (..., width) and the earlier digits of a token -> logits of its next digit, in one stage."""

    def __init__(self, config: RasterTransformerConfig) -> None:
        super().__init__()
        self.digits, self.hidden = config.digits, config.hidden
        self.state = Dense(config.width, len(config.digits) * config.hidden)
        self.earlier = nn.ModuleList(
            Table(sum(config.digits[:d]), config.hidden, uses=d, spread=0.3) for d in range(1, len(config.digits))
        )
        self.predict = nn.ModuleList(
            Dense(config.hidden, values, positive=True, fraction=LOGIT_FRACTION) for values in config.digits
        )
        for layer in self.predict:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]

    def logits(self, state: Tensor, earlier: Sequence[Tensor]) -> Tensor:
        """state: what the layer of this name gives, (..., digits * hidden). earlier: digits, (...) each."""
        digit, first = len(earlier), 0
        x = state[..., digit * self.hidden : (digit + 1) * self.hidden]
        for values, count in zip(earlier, self.digits, strict=False):
            x = x + self.earlier[digit - 1](values + first)
            first += count
        return self.predict[digit](x)


class RasterTransformer(nn.Module):
    """See the top of this file, and `imgcodec.priors.raster.protocol.RasterPrior`."""

    def __init__(self, config: RasterTransformerConfig) -> None:
        super().__init__()
        self.config, self.sides, self.digits, self.codes = config, config.sides, config.digits, config.codes
        stages = len(config.sides)
        self.whole = config.codes <= LARGEST_TABLE
        self.rows = config.codes if self.whole else sum(config.digits)
        uses = (1 if self.whole else len(config.digits)) * stages
        self.tokens = Table(stages * self.rows + 1, config.width, uses)  # the last row: no token
        self.row = Table(sum(config.sides), config.width, spread=0.3)
        self.column = Table(sum(config.sides), config.width, spread=0.3)
        self.mix = Dense((4 if stages == 1 else 5) * config.width, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.heads = nn.ModuleList(Head(config) for _ in config.sides)

    def forward(self, tokens: list[Tensor]) -> list[list[Tensor]]:
        """As RasterPrior.forward. Raises ValueError for sizes that no tile has."""
        sizes = [(t.shape[1], t.shape[2]) for t in tokens]
        self._check(sizes)
        digits = [to_digits(t, self.digits).unbind(-1) for t in tokens]
        inputs: list[Tensor] = []
        coarser: Tensor | None = None
        for stage, (rows, columns) in enumerate(sizes):
            embedded = self._embed(stage, digits[stage])
            padded = self._padded(len(embedded), rows, columns)
            padded[:, 1:, 1:-1] = embedded
            above = [padded[:, :-1, i : i + columns] for i in range(3)]
            parts = [*above, padded[:, 1:, :-2], *self._covering(coarser, embedded)]
            x = self.mix(torch.cat(parts, -1)) + self._places(stage, rows, columns)
            inputs.append(x.flatten(1, 2))
            coarser = self._coarser(stage, embedded, coarser)
        x = torch.cat(inputs, 1)
        for block in self.blocks:
            x = block(x)
        states = x.split([rows * columns for rows, columns in sizes], 1)
        result = []
        for stage, (state, size) in enumerate(zip(states, sizes, strict=True)):
            head = self._head(stage)
            state = head.state(state.unflatten(1, size))
            logits = [head.logits(state, digits[stage][:d]) for d in range(len(self.digits))]
            result.append([t.movedim(-1, 1) for t in logits])
        return result

    @torch.no_grad()
    def walk(self, batch: int, sizes: Sequence[tuple[int, int]], code: Code) -> list[Tensor]:
        """As RasterPrior.walk. Raises ValueError for sizes that no tile has."""
        self._check(sizes)
        device, at = self.tokens.weight.device, 0
        start = torch.zeros(batch, self.config.width, device=device)
        positions = sum(rows * columns for rows, columns in sizes)
        blocks = [(block, block.attention.empty_cache(start, positions)) for block in self._blocks()]
        result: list[Tensor] = []
        coarser: Tensor | None = None
        for stage, (rows, columns) in enumerate(sizes):
            head, places = self._head(stage), self._places(stage, rows, columns)
            padded = self._padded(batch, rows, columns)
            tokens = torch.zeros(batch, rows, columns, dtype=torch.int64, device=device)
            (covering,) = self._covering(coarser, padded[:, 1:, 1:-1]) or (None,)
            for row in range(rows):
                for column in range(columns):
                    parts = [padded[:, row, column : column + 3].flatten(1), padded[:, row + 1, column]]
                    if covering is not None:
                        parts.append(covering[:, row, column])
                    x = self.mix(torch.cat(parts, 1)) + places[row, column]
                    for block, cache in blocks:
                        x = block.step(x, cache, at)
                    state = head.state(x)
                    digits: list[Tensor] = []
                    for digit, values in enumerate(self.digits):
                        digits.append(code(Place(stage, row, column, digit), head.logits(state, digits)))
                        tokens[:, row, column].mul_(values).add_(digits[-1])
                    padded[:, row + 1, column + 1] = self._embed(stage, digits)
                    at += 1
            coarser = self._coarser(stage, padded[:, 1:, 1:-1], coarser)
            result.append(tokens)
        return result

    def _check(self, sizes: Sequence[tuple[int, int]]) -> None:
        if not 1 <= len(sizes) <= len(self.sides):
            raise ValueError(f"there are {len(sizes)} stages of tokens, and 1 to {len(self.sides)} are possible")
        rows, columns = sizes[0]
        for size, side in zip(sizes, self.sides, strict=False):
            factor = side // self.sides[0]
            if not 1 <= min(size) <= max(size) <= side or tuple(size) != (rows * factor, columns * factor):
                raise ValueError(f"no tile has {size[0]} x {size[1]} tokens where a full one has {side} x {side}")

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _head(self, stage: int) -> Head:
        head = self.heads[stage]
        assert isinstance(head, Head)
        return head

    def _embed(self, stage: int, digits: Sequence[Tensor]) -> Tensor:
        """The digits of tokens, (...) each -> (..., width)."""
        index, embedded, first = torch.zeros_like(digits[0]), None, stage * self.rows
        for values, count in zip(digits, self.digits, strict=True):
            if self.whole:
                index = index * count + values
            else:
                row = self.tokens(values + first)
                embedded = row if embedded is None else embedded + row
                first += count
        return self.tokens(index + first) if embedded is None else embedded

    def _padded(self, batch: int, rows: int, columns: int) -> Tensor:
        """(B, rows + 1, columns + 2, width): no token anywhere, also above and at both sides."""
        outside = self.tokens(torch.tensor(len(self.tokens.weight) - 1, device=self.tokens.weight.device))
        return outside.expand(batch, rows + 1, columns + 2, -1).clone()

    def _places(self, stage: int, rows: int, columns: int) -> Tensor:
        """(rows, columns, width)"""
        first, device = sum(self.sides[:stage]), self.tokens.weight.device
        row = self.row(torch.arange(first, first + rows, device=device))
        return row[:, None] + self.column(torch.arange(first, first + columns, device=device))

    def _covering(self, coarser: Tensor | None, like: Tensor) -> list[Tensor]:
        """The plane of coarser tokens (B, rows, columns, width), where there are stages."""
        if len(self.sides) == 1:
            return []
        return [torch.zeros_like(like) if coarser is None else coarser]

    def _coarser(self, stage: int, embedded: Tensor, coarser: Tensor | None) -> Tensor | None:
        """The same for the next stage."""
        if stage + 1 == len(self.sides):
            return None
        total = embedded if coarser is None else embedded + coarser
        factor = self.sides[stage + 1] // self.sides[stage]
        return total.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
