"""Gated PixelCNN (van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders").

    tokens above ──► [ vertical taps ─► gate ]──► ...            row by row
                            │ link
    tokens left  ──► [ horizontal taps + link ─► gate ─► merge ] ──► ... ──► hidden ──► logits

Two stacks, so that the receptive field has no blind spot: the vertical one sees all rows above, the horizontal one the
positions to the left in the row. Their inputs are shifted by one position, down and to the right. After that, a masked
convolution is a matrix product over the planes of its taps: those above, those to the left, and that of the position
itself; outside the tile is 0. A matrix product is exact in integers, and fast convolution algorithms are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.priors.integer.trainable_causal import Dense, Embedding, Gate
from imgcodec.priors.raster.protocol import DigitCoder, DigitPosition
from imgcodec.priors.raster.transformer import LOGIT_FRACTION, MAX_BLOCKS, MAX_VALUES

MAX_SIDE = 128
MAX_KERNEL = 15


@dataclass(frozen=True)
class PixelCNNConfig:
    """Sizes of the PixelCNN. Raises ValueError for what no model needs.

    num_codes: of the codebook. latent_dim: channels of both stacks. image_size: width and height of a full tile in
    tokens. kernel_size: odd; that of the convolutions before they are masked.
    """

    num_codes: int = 512
    latent_dim: int = 512
    image_size: int = 32
    num_blocks: int = 10
    kernel_size: int = 3

    def __post_init__(self) -> None:
        if not 2 <= self.num_codes <= MAX_VALUES:
            raise ValueError(f"there must be 2 to {MAX_VALUES} codes")
        if min(self.latent_dim, self.image_size, self.num_blocks) < 1 or self.image_size > MAX_SIDE:
            raise ValueError(f"no layer can be empty, and tiles are at most {MAX_SIDE} tokens wide")
        if self.num_blocks > MAX_BLOCKS:
            raise ValueError(f"there may be {MAX_BLOCKS} blocks")
        if self.kernel_size % 2 == 0 or not 1 <= self.kernel_size <= MAX_KERNEL:
            raise ValueError(f"the size of a kernel must be odd, 1 to {MAX_KERNEL}")


class Block(nn.Module):
    """A gated residual block of both stacks. reach: how many rows and columns away its taps are."""

    def __init__(self, config: PixelCNNConfig) -> None:
        super().__init__()
        width, self.reach = config.latent_dim, config.kernel_size // 2
        self.vertical = Dense((self.reach + 1) * config.kernel_size * width, 2 * width)
        self.vertical_gate = Gate()
        self.link = Dense(2 * width, 2 * width)
        self.horizontal = Dense((self.reach + 1) * width, 2 * width)
        self.horizontal_gate = Gate()
        self.merge = Dense(width, width)
        nn.init.zeros_(self.merge.weight)

    def step_vertical(self, above: Tensor, columns: int) -> tuple[Tensor, Tensor]:
        """n rows of the vertical stack and those above them (B, n + reach, columns + 2 * reach, C) -> for each of the n
        rows, the residual of the vertical stack (B, n, columns, C), and the link (B, n, columns, 2 * C)."""
        rows = above.shape[1] - self.reach
        taps = [
            above[:, i : i + rows, j : j + columns] for i in range(self.reach + 1) for j in range(2 * self.reach + 1)
        ]
        features = self.vertical(torch.cat(taps, -1))
        return self.vertical_gate(features), self.link(features)

    def step_horizontal(self, taps: Tensor, link: Tensor) -> Tensor:
        """The taps of the horizontal stack (..., (reach + 1) * C), leftmost first -> its residual (..., C)."""
        return self.merge(self.horizontal_gate(self.horizontal(taps) + link))


class PixelCNN(nn.Module):
    """A `RasterPrior` of one stage, with tokens of one digit; see the top of this file.

    Made from its configuration, or from the fields of one: `PixelCNN(num_codes=512, latent_dim=64)`.
    """

    def __init__(self, config: PixelCNNConfig | None = None, **sizes: int) -> None:
        super().__init__()
        self.config = config = PixelCNNConfig(**sizes) if config is None else config
        self.sides: tuple[int, ...] = (config.image_size,)
        self.digits: tuple[int, ...] = (config.num_codes,)
        self.codebook_size = config.num_codes
        self.tokens = Embedding(config.num_codes, config.latent_dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_blocks))
        self.hidden = Dense(config.latent_dim, config.latent_dim, positive=True)
        self.predict = Dense(config.latent_dim, config.num_codes, positive=True, fraction=LOGIT_FRACTION)
        nn.init.zeros_(self.predict.weight)

    def forward(self, tokens: list[Tensor]) -> list[list[Tensor]]:
        """As RasterPrior.forward. Raises ValueError for more stages or larger tiles than there are."""
        self._check([(t.shape[1], t.shape[2]) for t in tokens])
        embedded = self.tokens(tokens[0])
        columns, reach = embedded.shape[2], self.config.kernel_size // 2
        vertical = F.pad(embedded, (0, 0, 0, 0, 1, 0))[:, :-1]
        horizontal = F.pad(embedded, (0, 0, 1, 0))[:, :, :-1]
        for block in self._blocks():
            added, link = block.step_vertical(F.pad(vertical, (0, 0, reach, reach, reach, 0)), columns)
            left = F.pad(horizontal, (0, 0, reach, 0))
            taps = torch.cat([left[:, :, i : i + columns] for i in range(reach + 1)], -1)
            vertical, horizontal = vertical + added, horizontal + block.step_horizontal(taps, link)
        return [[self.predict(self.hidden(horizontal)).movedim(-1, 1)]]

    @torch.no_grad()
    def step_through(self, batch: int, sizes: Sequence[tuple[int, int]], code: DigitCoder) -> list[Tensor]:
        """As RasterPrior.step_through. Raises ValueError for more stages or larger tiles than there are."""
        self._check(sizes)
        (rows, columns), width, reach = sizes[0], self.config.latent_dim, self.config.kernel_size // 2
        device, blocks = self.tokens.weight.device, self._blocks()
        # the input of every block, and the output of the last one: of the vertical stack the rows that are still
        # needed, of the horizontal one a row
        above = torch.zeros(
            len(blocks) + 1, batch, reach + 1, columns + 2 * reach, width, dtype=torch.float32, device=device
        )
        left = torch.zeros(len(blocks) + 1, batch, columns + reach, width, dtype=torch.float32, device=device)
        embedded = torch.zeros(batch, columns + 1, width, dtype=torch.float32, device=device)
        tokens = torch.zeros(batch, rows, columns, dtype=torch.int64, device=device)
        for row in range(rows):
            links = self._next_row(above, embedded[:, 1:])
            left.zero_()
            embedded.zero_()
            for column in range(columns):
                x = embedded[:, column]
                for index, block in enumerate(blocks):
                    left[index, :, column + reach] = x
                    taps = left[index, :, column : column + reach + 1].flatten(1)
                    x = x + block.step_horizontal(taps, links[index][:, column])
                tokens[:, row, column] = code(DigitPosition(0, row, column, 0), self.predict(self.hidden(x)))
                embedded[:, column + 1] = self.tokens(tokens[:, row, column])
        return [tokens]

    def _next_row(self, above: Tensor, row: Tensor) -> list[Tensor]:
        """Moves the vertical stack down by a row. above: as in `step_through`. row: embedded tokens (B, columns, C) of
        the row above, 0 at the top. Returns the link of each block, (B, columns, 2 * C)."""
        reach, columns, links = above.shape[2] - 1, row.shape[1], []
        above[:, :, :-1] = above[:, :, 1:].clone()
        for index, block in enumerate(self._blocks()):
            above[index, :, -1, reach : reach + columns] = row
            added, link = block.step_vertical(above[index], columns)
            row = row + added[:, 0]
            links.append(link[:, 0])
        return links

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _check(self, sizes: Sequence[tuple[int, int]]) -> None:
        if len(sizes) != 1 or not 1 <= min(sizes[0]) <= max(sizes[0]) <= self.sides[0]:
            raise ValueError(f"tokens must be one stage of at most {self.sides[0]} x {self.sides[0]}")
