"""The `photo` prior: an autoregressive transformer over stages, and over groups of codebooks inside a stage.

    quality ──► state ──► [ block ─► head ─► slice 0 ─► block ─► head ─► slice 1 ─► ... ]   stage 0, stride 64
                                                 └──────── + ────────┘  (embedded tokens)
                                                   │ block, 4x4 upsampling
    quality ─────────────────────────────────────► state ──► [ the same, more slices ]      stage 1, stride 16

One state of `width` channels a place runs through a stage. Before each slice (a group of codebooks) a transformer
block looks around in it: attention inside a window, a depthwise 5x5 convolution, two matrix products. The slice is then
coded in two parallel steps, the black places of a checkerboard and then the white ones (He et al. 2021), which also see
their black neighbours; its tokens are embedded and added to the state. 16 parallel steps in all for any picture, and
attention is local, so cost grows linearly with pixels.

A head gives two numbers for each token: `mean`, where its distribution is centred, and `scale`, the logarithm of its
width. As integers, in sixteenths, they choose one of the frequency tables of the model (see
`imgcodec.priors.photo.tables`).

`PhotoPrior.forward` is the only loop over the tokens. What happens at each step is up to the caller's `code`: training
returns the true tokens and keeps the parameters for its loss, the encoder writes them, the decoder reads them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.priors.integer.exact import PARAMETER_FRACTION
from imgcodec.priors.integer.trainable import Attention, Depthwise, Linear, Rows, TokenCurve
from imgcodec.priors.photo.windows import pack, unpack

# (stage, first group, number of groups, parameters (B, 2 * groups, h, w/2), phase) -> tokens (B, groups, h, w/2),
# centred on the zero codeword
Code = Callable[[int, int, int, Tensor, int], Tensor]

UPSAMPLING = 4
LARGEST_WINDOW = 22  # so that the sums of attention are exact, see ExactAttention
MOST_SCORES = 2**12  # that a place may have, heads * window**2: they are what attention takes in memory


@dataclass(frozen=True)
class PhotoPriorConfig:
    """Sizes of the `photo` prior. `slices`, `windows` and `attention` (does a slice's block attend?) are by stage.
    tunes: 2 where there is one for the eye, with other steps for the same quality."""

    width: int = 256
    hidden: int = 384
    heads: int = 8
    slices: tuple[tuple[int, ...], ...] = ((16, 32, 48), (16, 24, 40, 80, 160))
    windows: tuple[int, ...] = (4, 8)
    attention: tuple[tuple[bool, ...], ...] = ((True, True, True), (False, True, False, True, False))
    levels: int = 8
    tunes: int = 1

    def __post_init__(self) -> None:
        coarse, fine = self.windows
        if not (0 < coarse <= LARGEST_WINDOW and 0 < fine <= LARGEST_WINDOW):
            raise ValueError(f"windows must be 1 to {LARGEST_WINDOW} places wide")
        if coarse % 2 or UPSAMPLING * coarse % fine:
            raise ValueError("the coarse window must be even, and four of it a multiple of the fine one")
        if min(self.width, self.hidden, *(groups for stage in self.slices for groups in stage)) < 1:
            raise ValueError("no layer and no slice can be empty")
        if self.heads < 1 or self.heads * max(self.windows) ** 2 > MOST_SCORES:
            raise ValueError(f"there must be 1 to {MOST_SCORES} scores of attention, heads * window**2")
        if self.tunes not in (1, 2):
            raise ValueError("there may be one tune or two")
        if self.width % self.heads or self.levels < 2:
            raise ValueError("heads must divide the width, and there must be two levels or more")
        if [len(s) for s in self.slices] != [len(a) for a in self.attention] or len(self.slices) != 2:
            raise ValueError("two stages need slices, and attention says yes or no for each")


class Block(nn.Module):
    """Transformer block on the state (B, width, h, w): window attention (optional), depthwise 5x5, feed-forward."""

    def __init__(self, config: PhotoPriorConfig, window: int, attend: bool) -> None:
        super().__init__()
        self.attention = Attention(config.width, config.heads, window) if attend else None
        self.local = Depthwise(config.width, 5)
        self.expand = Linear(config.width, config.hidden)
        self.contract = Linear(config.hidden, config.width, positive=True)
        nn.init.zeros_(self.contract.weight)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        if self.attention is not None:
            x = x + self.attention(x, inside)
        x = x + self.local(x)
        return x + self.contract(self.expand(x))


class Head(nn.Module):
    """State -> parameters of one slice, in two checkerboard phases; and the slice's tokens -> state."""

    def __init__(self, config: PhotoPriorConfig, groups: int, planes: int) -> None:
        super().__init__()
        self.groups = groups
        self.hidden = Linear(config.width, config.width)
        self.neighbours = Depthwise(config.width, 5)
        self.predict = Linear(config.width, 2 * groups, positive=True, fraction=PARAMETER_FRACTION)
        nn.init.zeros_(self.predict.weight)
        self.bias = Rows(config.levels, 2 * groups, PARAMETER_FRACTION, config.tunes)
        self.curve = TokenCurve(planes)
        self.embed = Linear(planes * groups, config.width, tokens=True)

    def forward(self, x: Tensor, level: Tensor, code: Callable[[Tensor, int], Tensor]) -> Tensor:
        """x (B, width, h, w), w even; `code` gets parameters and phase, gives tokens. Returns their embedding."""
        hidden, bias = self.hidden(x), self.bias(level)
        black = code(self.predict(pack(hidden, 0)) + bias, 0)
        black = self.embed(self.curve(black))
        hidden = hidden + self.neighbours(unpack(black, None))
        white = code(self.predict(pack(hidden, 1)) + bias, 1)
        return unpack(black, self.embed(self.curve(white)))


class Stage(nn.Module):
    """All slices of one stage."""

    def __init__(self, config: PhotoPriorConfig, index: int) -> None:
        super().__init__()
        self.index, self.window = index, config.windows[index]
        slices, attention = config.slices[index], config.attention[index]
        self.start = Rows(config.levels, config.width, tunes=config.tunes)
        self.blocks = nn.ModuleList(Block(config, self.window, a) for a in attention)
        # tokens of the first slice are large at high qualities: they come as two planes (TokenCurve)
        self.heads = nn.ModuleList(Head(config, g, 2 if i == 0 else 1) for i, g in enumerate(slices))

    def forward(self, x: Tensor, level: Tensor, inside: Tensor, code: Code) -> Tensor:
        x, first = x + self.start(level), 0
        for block, head in self.slices():
            x = block(x, inside)
            start, groups = first, head.groups
            x = x + head(x, level, lambda p, phase, s=start, g=groups: code(self.index, s, g, p, phase))
            first += groups
        return x

    def slices(self) -> Iterator[tuple[Block, Head]]:
        """Block and head of each slice, in coding order."""
        for block, head in zip(self.blocks, self.heads, strict=True):
            assert isinstance(block, Block)
            assert isinstance(head, Head)
            yield block, head


class PhotoPrior(nn.Module):
    """Walks the tokens of a batch of equal tiles, coarse stage first."""

    def __init__(self, config: PhotoPriorConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = Stage(config, 0)
        self.between = Block(config, config.windows[0], attend=True)
        self.upsample = Linear(config.width, 64 * UPSAMPLING**2)
        self.spread = Linear(64, config.width)
        self.fine = Stage(config, 1)

    def forward(self, grid: tuple[int, int, int], level: Tensor, code: Code, stages: int = 2) -> None:
        """Calls `code` for every slice and phase, in coding order.

        grid: (batch, height, width) of stage 0. level: quality, one for the batch in exact arithmetic (an integer of
        1/256 units), (batch,) fractional levels in training. stages: 1 stops before stage 1 is predicted.
        Token grids are padded up to whole windows; `code` sees the padded grids.
        """
        batch, height, width = grid
        window = self.config.windows[0]
        height0, width0 = -height % window + height, -width % window + width
        weight = self.upsample.weight
        device = weight.device
        inside = torch.zeros(height0, width0, device=device)
        inside[:height, :width] = 1
        x = torch.zeros(batch, self.config.width, height0, width0, device=device)
        x = self.coarse(x.to(memory_format=torch.channels_last), level, inside, code)
        if stages == 1:
            return
        x = self.between(x, inside)
        x = self.spread(F.pixel_shuffle(self.upsample(x), UPSAMPLING).contiguous(memory_format=torch.channels_last))
        inside = inside.repeat_interleave(UPSAMPLING, 0).repeat_interleave(UPSAMPLING, 1)
        self.fine(x, level, inside, code)
