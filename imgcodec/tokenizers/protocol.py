"""What the tokenizers with one learned code a place have in common: SNAC, the scalable VQ-VAE, BSQ.

Unlike `photo`, which has hundreds of small ordered tokens at every place, these have one of many codes there, without
any order among them. Their tokens are int64 tensors (B, h, w), one a stage, coarse strides first.
"""

from typing import NamedTuple, Protocol

from torch import Tensor


class Losses(NamedTuple):
    """What a quantizer adds to the reconstruction loss; scalars.

    vq: moves codewords to latents (0 where codebooks are fixed or follow a moving average). commit: moves latents to
    codewords. entropy: low where latents are close to one codeword and all codewords are used. usage: the perplexity
    of the codes in this batch, as a share of the codebook; for reports, without a gradient.
    """

    vq: Tensor
    commit: Tensor
    entropy: Tensor
    usage: Tensor


class RasterTokenizer(Protocol):
    """A pure `nn.Module` of this shape. H and W are multiples of `strides[0]`.

    strides: pixels a token is wide and high, by stage, each a multiple of the next.
    codes: tokens are 0..codes-1, in every stage. At most 2**18.
    scales: how many times its size a picture can be decoded at.
    """

    strides: tuple[int, ...]
    codes: int
    scales: tuple[int, ...]

    def encode(self, pixels: Tensor) -> list[Tensor]:
        """Pixels (B, 3, H, W) in 0..1 -> tokens (B, H / stride, W / stride) of every stage."""

    def decode(self, tokens: list[Tensor], scale: int = 1) -> Tensor:
        """Tokens of the first stages, at least one -> pixels (B, 3, scale * H, scale * W), not clamped."""

    def code_vectors(self) -> list[Tensor]:
        """What each code stands for, by stage: (codes, n). Codes of near vectors look alike."""

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        """For training: pixels (B, 3, H, W) -> what they are decoded to at scale 1, and the losses."""
