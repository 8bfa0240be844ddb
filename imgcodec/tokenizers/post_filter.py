"""A small net over whole pixels, behind a synthesis that makes them block by block."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.layers import interpolate_levels, zero_init
from imgcodec.tokenizers.rvq_config import FILTER_IN, FILTER_OUT, FILTER_SIDE


class PostFilter(nn.Module):
    """Pixels around 0 (B, 3, H, W), H and W even, and the level (B,) -> what is to be added to them: 0 at first.

    A synthesis finds all pixels of a block of 8x8 from the same features; what it lacks is how pixels that are next to
    each other go together. Video codecs have loop filters for that. Squares of 2x2 pixels are one position here, so
    that there is more arithmetic for each pass over memory. width: of the layers. Its input differs by hundredths from
    pixel to pixel, its output is less, and both are scaled so that one learning rate suits all layers. blocks: residual
    layers behind the second one, which change nothing at first.

    The level has a gain for the input and one for the output, as logarithms: what is noise at one level is detail at
    another, and the input's gain moves the borders between them, the biases. A bias for each level would cost a pass
    over all channels.
    """

    def __init__(self, width: int, levels: int, blocks: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3 * FILTER_SIDE, stride=FILTER_SIDE, padding=FILTER_SIDE)
        self.level = nn.Parameter(torch.zeros(levels, 2))
        with torch.no_grad():  # flat places say little
            self.first.weight -= self.first.weight.mean((1, 2, 3), keepdim=True)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.blocks = nn.ModuleList(zero_init(nn.Conv2d(width, width, 3, padding=1)) for _ in range(blocks))
        self.last = zero_init(nn.Conv2d(width, 3 * FILTER_SIDE**2, 3, padding=1))

    def forward(self, pixels: Tensor, level: Tensor) -> Tensor:
        gains = interpolate_levels(self.level, level).exp()
        x = F.relu(self.first(pixels * (FILTER_IN * gains[:, :1])))
        x = F.relu(self.second(x))
        for block in self.blocks:
            x = F.relu(x + block(x))
        return F.pixel_shuffle(self.last(x).float(), FILTER_SIDE) * (FILTER_OUT * gains[:, 1:])
