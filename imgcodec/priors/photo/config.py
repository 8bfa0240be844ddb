"""The sizes of the `photo` prior, and what follows from them alone. Knows no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UPSAMPLING = 4
MAX_WINDOW = 22  # so that the sums of attention are exact, see ExactAttention
MAX_SCORES = 2**12  # per position, heads * window**2: they take most of the memory of attention


@dataclass(frozen=True)
class PhotoPriorConfig:
    """Sizes of the `photo` prior. Raises ValueError for what does not fit together.

    width: channels of the state. hidden: of the feed-forward layers. By stage: slices, the number of groups of each;
    windows, in which attention works; attention, whether the block of a slice has any. levels: of quality. tunes: 2
    where there is one for the eye, with other steps for the same quality.
    """

    width: int = 256
    hidden: int = 384
    heads: int = 8
    slices: tuple[tuple[int, ...], ...] = ((16, 32, 48), (16, 24, 40, 80, 160))
    windows: tuple[int, int] = (4, 8)
    attention: tuple[tuple[bool, ...], ...] = ((True, True, True), (False, True, False, True, False))
    levels: int = 8
    tunes: int = 1

    def __post_init__(self) -> None:
        coarse, fine = self.windows
        if not (0 < coarse <= MAX_WINDOW and 0 < fine <= MAX_WINDOW):
            raise ValueError(f"windows must be 1 to {MAX_WINDOW} positions wide")
        if coarse % 2 or UPSAMPLING * coarse % fine:
            raise ValueError("the coarse window must be even, and four of it a multiple of the fine one")
        if min(self.width, self.hidden, *(groups for stage in self.slices for groups in stage)) < 1:
            raise ValueError("no layer and no slice can be empty")
        if self.heads < 1 or self.heads * max(self.windows) ** 2 > MAX_SCORES:
            raise ValueError(f"there must be 1 to {MAX_SCORES} scores of attention, heads * window**2")
        if self.tunes not in (1, 2):
            raise ValueError("there may be one tune or two")
        if self.width % self.heads or self.levels < 2:
            raise ValueError("heads must divide the width, and there must be two levels or more")
        if [len(s) for s in self.slices] != [len(a) for a in self.attention] or len(self.slices) != 2:
            raise ValueError("two stages need slices, and attention says yes or no for each")


def relative_offsets(window: int) -> NDArray[np.int64]:
    """(window**2, window**2): which of the (2*window-1)**2 displacements leads from a query's position to a key's."""
    y, x = (steps.ravel() for steps in np.indices((window, window)))
    rows, columns = (y[:, None] - y + window - 1), (x[:, None] - x + window - 1)
    return rows * (2 * window - 1) + columns
