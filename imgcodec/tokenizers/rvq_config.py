"""The sizes of the `photo` tokenizer. Knows no torch."""

from dataclasses import dataclass

from imgcodec.tokenizers.blocks import BLOCK, MAX_BLOCKS, MAX_WIDTH, check_transforms

STRIDES = (64, BLOCK)
POOL = STRIDES[0] // STRIDES[1]

FILTER_SIDE = 2
"""Of the squares of pixels that are one position of the post filter."""

FILTER_IN, FILTER_OUT = 16.0, 1 / 64
"""Factors of what goes into the post filter and of what comes out of it."""


def filter_reach(width: int, blocks: int) -> int:
    """Pixels around one that it depends on in a post filter of these sizes, a square for each convolution; without a
    width there is none."""
    return FILTER_SIDE * (3 + blocks) if width else 0


def filter_halo(width: int, blocks: int) -> int:
    """As `filter_reach`, in latents."""
    return -(-filter_reach(width, blocks) // BLOCK)


# No model needs more, and codebooks are made before the tensors of an untrusted file are read.
MAX_CODES = 2**13
MAX_CODEWORDS = 2**22

MAX_WIDENING, MAX_CONTRAST = 1.0, 1e6

IMPOSSIBLE_CONTRAST = f"its contrast is not made of numbers from 0 to {MAX_CONTRAST:.0e}"


@dataclass(frozen=True)
class RVQConfig:
    """Sizes of the `photo` tokenizer. Raises ValueError for what no model needs.

    channels: groups of (stage 0, stage 1), one channel of the latent each. codebooks: of each stage, one for all its
    groups or one per group. codes: of each codebook, an odd number. levels: of quality. width_coarse, width_fine: of
    the convolutions at strides 16 and 8. analysis_blocks, synthesis_blocks: how many of them at strides (8, 16).
    visual: whether there is a second tune, for the eye instead of PSNR, with a synthesis and steps of its own.
    widening: how much wider the steps of stage 1 are where there is contrast, an exponent for each tune
    (`ResidualVQ.widening`); 0: not at all.
    width_filter: of the layers of the post filter of each synthesis, 0 where it has none. filter_blocks: how many
    residual layers it has behind its second one.
    """

    channels: tuple[int, int] = (96, 320)
    codebooks: tuple[int, int] = (1, 1)
    codes: int = 4095
    levels: int = 8
    width_coarse: int = 256
    width_fine: int = 96
    analysis_blocks: tuple[int, int] = (2, 1)
    synthesis_blocks: tuple[int, int] = (3, 2)
    visual: bool = False
    widening: tuple[float, float] = (0.0, 0.0)
    width_filter: int = 0
    filter_blocks: int = 0

    def __post_init__(self) -> None:
        if self.codes % 2 == 0:
            raise ValueError("codes must be odd, so that the lattice has a zero codeword")
        if min(*self.channels, *self.codebooks, self.levels) < 1:
            raise ValueError("there must be a channel, a codebook and a level")
        if self.codes > MAX_CODES or sum(self.codebooks) * self.codes > MAX_CODEWORDS:
            raise ValueError(f"there may be {MAX_CODES} codes in a codebook and {MAX_CODEWORDS} in all of them")
        _, channels = self.channels
        check_transforms(channels, self.widths, self.analysis_blocks + self.synthesis_blocks)
        if not 0 <= self.width_filter <= MAX_WIDTH:
            raise ValueError(f"a post filter may be up to {MAX_WIDTH} wide")
        if not 0 <= self.filter_blocks <= MAX_BLOCKS:
            raise ValueError(f"a post filter may have up to {MAX_BLOCKS} blocks")
        if min(self.widening) < 0 or max(self.widening) > MAX_WIDENING:
            raise ValueError(f"exponents of widening must be from 0 to {MAX_WIDENING}")
        if self.widening[1] and not self.visual:
            raise ValueError("for widening of the visual tune there must be one: set visual = true")

    @property
    def widths(self) -> tuple[int, int]:
        """Of the convolutions, in the order of `imgcodec.tokenizers.transforms`."""
        return self.width_coarse, self.width_fine

    @property
    def widens(self) -> bool:
        """Whether steps of any tune are wider where there is contrast."""
        return any(self.widening)

    @property
    def zero(self) -> int:
        """The index of the zero codeword."""
        return self.codes // 2

    @property
    def analysis_halo(self) -> int:
        """Latents beyond a tile's border that its latents depend on: each block has one 3x3 convolution at stride 16,
        and those at stride 8 reach half as far with two."""
        return sum(self.analysis_blocks)

    @property
    def synthesis_halo(self) -> int:
        """Latents beyond a tile's border that its pixels depend on: as for analysis, and what a post filter
        reaches."""
        return sum(self.synthesis_blocks) + filter_halo(self.width_filter, self.filter_blocks)
