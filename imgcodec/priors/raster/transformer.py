"""A decoder-only transformer over the tokens of a tile, in raster order, coarse stages first.

    tokens to the left, above, and of the coarser stages ──► mix ──► [ block ] x n ──► head ──► digits, one by one
                                   stage, row and column ─────┘

The input at a position are embedded tokens that are known already: those to the left, above on the left, above, and
above on the right (a learned embedding outside the tile), and, where there are several stages, the sum of those of the
coarser stages that cover the position. Attention sees the position itself and those before it, `context` in all.

There is no normalisation: as in the `photo` prior, operands are clamped, and the residuals of new blocks are zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imgcodec.priors.integer.exact_causal import MAX_CONTEXT
from imgcodec.priors.integer.trainable_causal import CausalAttention, Dense, Embedding
from imgcodec.priors.raster.protocol import LOGIT_UNIT, DigitCoder, DigitPosition, to_digits

LOGIT_FRACTION = int(math.log2(LOGIT_UNIT))
MAX_STAGES = 8
MAX_BLOCKS = 64
MAX_POSITIONS = 2**14
MAX_VALUES = 2**12  # of a digit
MAX_EMBEDDED_CODES = 2**14  # tokens of larger codebooks are embedded digit by digit


@dataclass(frozen=True)
class RasterTransformerConfig:
    """Sizes of the raster transformer. Raises ValueError for what does not fit together.

    sides: width and height of a full tile in tokens, by stage, each a multiple of the one before. codes: of the
    codebook of every stage. digits: into which tokens are split, see `imgcodec.priors.raster.protocol`. context:
    positions that attention sees, its own among them, at most 512.
    """

    width: int = 192
    hidden: int = 512
    heads: int = 6
    blocks: int = 4
    sides: tuple[int, ...] = (16,)
    codes: int = 4096
    digits: tuple[int, ...] = (64, 64)
    context: int = MAX_CONTEXT

    def __post_init__(self) -> None:
        if min(self.width, self.hidden, self.heads, self.blocks) < 1 or self.width % self.heads:
            raise ValueError("no layer can be empty, and heads must divide the width")
        if self.blocks > MAX_BLOCKS:
            raise ValueError(f"there may be {MAX_BLOCKS} blocks")
        pairs = zip(self.sides, self.sides[1:], strict=False)
        if not 1 <= len(self.sides) <= MAX_STAGES or min(self.sides) < 1 or any(b % a for a, b in pairs):
            raise ValueError(f"there must be 1 to {MAX_STAGES} stages, each side a multiple of the one before")
        if sum(side**2 for side in self.sides) > MAX_POSITIONS:
            raise ValueError(f"a tile can have no more than {MAX_POSITIONS} tokens")
        if not self.digits or not all(2 <= values <= MAX_VALUES for values in self.digits):
            raise ValueError(f"a digit must have 2 to {MAX_VALUES} values")
        if not 2 <= self.codes <= math.prod(self.digits):
            raise ValueError("the digits must be enough for all codes")
        if not 1 <= self.context <= MAX_CONTEXT:
            raise ValueError(f"attention can see 1 to {MAX_CONTEXT} positions")


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
        """As `forward`, for position `at` alone, (B, width)."""
        x = x + self.attention.step(x, cache, at)
        return x + self.contract(self.expand(x))


class Head(nn.Module):
    """State (..., width) and the earlier digits of a token -> logits of its next digit; one for each stage."""

    def __init__(self, config: RasterTransformerConfig) -> None:
        super().__init__()
        self.digits, self.hidden = config.digits, config.hidden
        self.state = Dense(config.width, len(config.digits) * config.hidden)
        self.earlier = nn.ModuleList(
            Embedding(sum(config.digits[:d]), config.hidden, uses=d, deviation=0.3)
            for d in range(1, len(config.digits))
        )
        self.predict = nn.ModuleList(
            Dense(config.hidden, values, positive=True, fraction=LOGIT_FRACTION) for values in config.digits
        )
        for layer in self.predict:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]

    def logits(self, state: Tensor, earlier: Sequence[Tensor]) -> Tensor:
        """state: the output of the layer of this name, (..., digits * hidden). earlier: digits, (...) each."""
        digit, first = len(earlier), 0
        x = state[..., digit * self.hidden : (digit + 1) * self.hidden]
        for values, count in zip(earlier, self.digits, strict=False):
            x = x + self.earlier[digit - 1](values + first)
            first += count
        return self.predict[digit](x)


class RasterTransformer(nn.Module):
    """A `RasterPrior`; see the top of this file."""

    def __init__(self, config: RasterTransformerConfig) -> None:
        super().__init__()
        self.config, self.sides, self.digits, self.codebook_size = config, config.sides, config.digits, config.codes
        stages = len(config.sides)
        self.whole = config.codes <= MAX_EMBEDDED_CODES
        self.rows = config.codes if self.whole else sum(config.digits)
        uses = (1 if self.whole else len(config.digits)) * stages
        self.tokens = Embedding(stages * self.rows + 1, config.width, uses)  # the last row: no token
        self.row = Embedding(sum(config.sides), config.width, deviation=0.3)
        self.column = Embedding(sum(config.sides), config.width, deviation=0.3)
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
            x = self.mix(torch.cat(parts, -1)) + self._position_embeddings(stage, rows, columns)
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
    def step_through(self, batch: int, sizes: Sequence[tuple[int, int]], code: DigitCoder) -> list[Tensor]:
        """As RasterPrior.step_through. Raises ValueError for sizes that no tile has."""
        self._check(sizes)
        device, at = self.tokens.weight.device, 0
        start = torch.zeros(batch, self.config.width, dtype=torch.float32, device=device)
        count = sum(rows * columns for rows, columns in sizes)
        blocks = [(block, block.attention.empty_cache(start, count)) for block in self._blocks()]
        result: list[Tensor] = []
        coarser: Tensor | None = None
        for stage, (rows, columns) in enumerate(sizes):
            head, positions = self._head(stage), self._position_embeddings(stage, rows, columns)
            padded = self._padded(batch, rows, columns)
            tokens = torch.zeros(batch, rows, columns, dtype=torch.int64, device=device)
            (covering,) = self._covering(coarser, padded[:, 1:, 1:-1]) or (None,)
            for row in range(rows):
                for column in range(columns):
                    parts = [padded[:, row, column : column + 3].flatten(1), padded[:, row + 1, column]]
                    if covering is not None:
                        parts.append(covering[:, row, column])
                    x = self.mix(torch.cat(parts, 1)) + positions[row, column]
                    for block, cache in blocks:
                        x = block.step(x, cache, at)
                    state = head.state(x)
                    digits: list[Tensor] = []
                    for digit, values in enumerate(self.digits):
                        digits.append(code(DigitPosition(stage, row, column, digit), head.logits(state, digits)))
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
        """The digits of tokens, (...) each -> their embeddings (..., width)."""
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
        """The embedding of "no token" at all positions, above them and at both sides: (B, rows + 1, columns + 2,
        width)."""
        outside = self.tokens(torch.tensor(len(self.tokens.weight) - 1, device=self.tokens.weight.device))
        return outside.expand(batch, rows + 1, columns + 2, -1).clone()

    def _position_embeddings(self, stage: int, rows: int, columns: int) -> Tensor:
        """Of all positions of a stage, (rows, columns, width)."""
        first, device = sum(self.sides[:stage]), self.tokens.weight.device
        row = self.row(torch.arange(first, first + rows, device=device))
        return row[:, None] + self.column(torch.arange(first, first + columns, device=device))

    def _covering(self, coarser: Tensor | None, like: Tensor) -> list[Tensor]:
        """The embeddings of coarser tokens (B, rows, columns, width), zeros in the first of several stages; nothing
        where there is one stage."""
        if len(self.sides) == 1:
            return []
        return [torch.zeros_like(like) if coarser is None else coarser]

    def _coarser(self, stage: int, embedded: Tensor, coarser: Tensor | None) -> Tensor | None:
        """The embeddings of coarser tokens for the next stage."""
        if stage + 1 == len(self.sides):
            return None
        total = embedded if coarser is None else embedded + coarser
        factor = self.sides[stage + 1] // self.sides[stage]
        return total.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
