"""The `photo` prior: an autoregressive transformer over stages, and over slices of groups inside a stage.

    quality ──► state ──► [ block ─► head ─► slice 0 ─► block ─► head ─► slice 1 ─► ... ]   stage 0, stride 64
                                                 └──────── + ────────┘  (embedded tokens)
                                                   │ block, 4x4 upsampling
    quality ─────────────────────────────────────► state ──► [ the same, more slices ]      stage 1, stride 16

A state of `width` channels per position runs through a stage. Before each slice (some groups, that is, channels of the
latent) a transformer block lets positions see each other: attention inside a window, a depthwise 5x5 convolution, two
matrix products. The slice is then coded in two parallel steps, first the anchors of a checkerboard, then the
non-anchors, which also see the anchors around them (He et al. 2021); its tokens are embedded and added to the state.
So any picture takes 16 parallel steps, and the cost grows linearly with pixels, because attention is local.

A head gives two numbers for each token: `mean`, the centre of its distribution, and `scale`, the logarithm of its
width. As integers, in sixteenths, they choose one of the frequency tables of the model (see
`imgcodec.priors.photo.tables`).

`PhotoPrior.forward` is the only loop over the tokens. What happens at each step is up to the caller's `code`: training
returns the true tokens and keeps the parameters for its loss, the encoder writes them, the decoder reads them.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.priors.integer.constants import PARAMETER_FRACTION
from imgcodec.priors.integer.trainable import Attention, Depthwise, LevelTable, Linear, TokenCurve
from imgcodec.priors.photo.config import UPSAMPLING, PhotoPriorConfig
from imgcodec.priors.photo.windows import checkerboard_half, join_checkerboard

SliceCoder = Callable[[int, int, int, Tensor, int], Tensor]
"""(stage, first group, number of groups, parameters (B, 2 * groups, h, w/2), parity) -> centred tokens (B, groups, h,
w/2), of anchors (parity 0) or non-anchors (parity 1); the parameters are all means, then all scales."""


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
    """State -> parameters of one slice, of anchors and then of non-anchors; and the slice's tokens -> state."""

    def __init__(self, config: PhotoPriorConfig, groups: int, planes: int) -> None:
        super().__init__()
        self.groups = groups
        self.hidden = Linear(config.width, config.width)
        self.neighbours = Depthwise(config.width, 5)
        self.predict = Linear(config.width, 2 * groups, positive=True, fraction=PARAMETER_FRACTION)
        nn.init.zeros_(self.predict.weight)
        self.bias = LevelTable(config.levels, 2 * groups, PARAMETER_FRACTION, config.tunes)
        self.curve = TokenCurve(planes)
        self.embed = Linear(planes * groups, config.width, tokens=True)

    def forward(self, x: Tensor, level: Tensor, code: Callable[[Tensor, int], Tensor]) -> Tensor:
        """x (B, width, h, w), w even; `code` maps parameters and parity to tokens. Returns their embedding."""
        hidden, bias = self.hidden(x), self.bias(level)
        anchors = code(self.predict(checkerboard_half(hidden, 0)) + bias, 0)
        anchors = self.embed(self.curve(anchors))
        hidden = hidden + self.neighbours(join_checkerboard(anchors, None))
        non_anchors = code(self.predict(checkerboard_half(hidden, 1)) + bias, 1)
        return join_checkerboard(anchors, self.embed(self.curve(non_anchors)))


class Stage(nn.Module):
    """All slices of one stage; adds their embedded tokens to the state."""

    def __init__(self, config: PhotoPriorConfig, index: int) -> None:
        super().__init__()
        self.index, self.window = index, config.windows[index]
        slices, attention = config.slices[index], config.attention[index]
        self.start = LevelTable(config.levels, config.width, tunes=config.tunes)
        self.blocks = nn.ModuleList(Block(config, self.window, a) for a in attention)
        # tokens of the first slice are large at high qualities, so they are embedded from two planes (TokenCurve)
        self.heads = nn.ModuleList(Head(config, g, 2 if i == 0 else 1) for i, g in enumerate(slices))

    def forward(self, x: Tensor, level: Tensor, inside: Tensor, code: SliceCoder, slices: int | None = None) -> Tensor:
        """slices: how many there are; None for all of the stage."""
        x, first = x + self.start(level), 0
        for block, head in islice(self.slices(), slices):
            x = block(x, inside)
            start, groups = first, head.groups
            x = x + head(x, level, lambda p, parity, s=start, g=groups: code(self.index, s, g, p, parity))
            first += groups
        return x

    def slices(self) -> Iterator[tuple[Block, Head]]:
        """Block and head of each slice, in coding order."""
        for block, head in zip(self.blocks, self.heads, strict=True):
            assert isinstance(block, Block)
            assert isinstance(head, Head)
            yield block, head


class PhotoPrior(nn.Module):
    """Predicts the tokens of a batch of equal tiles while they are coded, coarse stage first."""

    def __init__(self, config: PhotoPriorConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = Stage(config, 0)
        self.between = Block(config, config.windows[0], attend=True)
        self.upsample = Linear(config.width, 64 * UPSAMPLING**2)
        self.spread = Linear(64, config.width)  # from few channels per position to those of the state
        self.fine = Stage(config, 1)

    def forward(self, size: tuple[int, int, int], level: Tensor, code: SliceCoder, slices: int | None = None) -> None:
        """Calls `code` for every slice and parity, in coding order.

        size: (batch, rows, columns) of stage 0. level: in exact arithmetic the quality of the whole batch, an integer
        in units of 1/256, plus TUNE_UNITS per tune; in training (batch,) fractional levels. slices: how many of both
        stages are coded, the first ones; None for all. Nothing is computed for those behind them. Planes are padded up
        to whole windows; `code` sees the padded ones.
        """
        coarse, fine = map(len, self.config.slices)
        slices = coarse + fine if slices is None else slices
        batch, height, width = size
        window = self.config.windows[0]
        height0, width0 = -height % window + height, -width % window + width
        weight = self.upsample.weight
        device = weight.device
        inside = torch.zeros(height0, width0, dtype=weight.dtype, device=device)
        inside[:height, :width] = 1
        x = torch.zeros(batch, self.config.width, height0, width0, dtype=weight.dtype, device=device)
        x = self.coarse(x.to(memory_format=torch.channels_last), level, inside, code, min(slices, coarse))
        if slices <= coarse:
            return
        x = self.between(x, inside)
        x = self.spread(F.pixel_shuffle(self.upsample(x), UPSAMPLING).contiguous(memory_format=torch.channels_last))
        inside = inside.repeat_interleave(UPSAMPLING, 0).repeat_interleave(UPSAMPLING, 1)
        self.fine(x, level, inside, code, slices - coarse)
