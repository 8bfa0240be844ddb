"""What the raster tokenizers have in common: SNAC, the scalable VQ-VAE and BSQ.

At each position of a stage they have one token, which names one of many codes in no particular order. (`photo` has
hundreds of tokens at each position, small ordered integers.) Tokens are int64 tensors (B, h, w), one per stage, coarse
strides first.
"""

from typing import NamedTuple, Protocol

from torch import Tensor


class Losses(NamedTuple):
    """What a quantizer adds to the reconstruction loss; scalars.

    vq: moves codewords to latents (0 where codebooks are fixed). commit: moves latents to codewords. entropy: low where
    latents are close to one codeword and all codewords are used. usage: the perplexity of the codes in this batch, as a
    share of the codebook; for reports, without a gradient.
    """

    vq: Tensor
    commit: Tensor
    entropy: Tensor
    usage: Tensor


class RasterTokenizer(Protocol):
    """The interface of a tokenizer, a pure `nn.Module`. H and W are multiples of `strides[0]`.

    strides: width and height of a token in pixels, by stage, each a multiple of the next.
    codebook_size: tokens are 0..codebook_size - 1 in every stage. At most 2**18.
    scales: the multiples of its size that a picture can be decoded at.
    """

    strides: tuple[int, ...]
    codebook_size: int
    scales: tuple[int, ...]

    def encode(self, pixels: Tensor) -> list[Tensor]:
        """Pixels (B, 3, H, W) in 0..1 -> tokens (B, H / stride, W / stride) of every stage."""

    def decode(self, tokens: list[Tensor], scale: int = 1) -> Tensor:
        """Tokens of the first stages, at least one -> pixels (B, 3, scale * H, scale * W), not clamped."""

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) in 0..1 -> what comes back of them where latents are not replaced by codewords: changes
        as smoothly with the pixels and the weights as the transforms do."""

    def code_vectors(self) -> list[Tensor]:
        """The vector that each code is decoded to, by stage: (codebook_size, n). Near vectors look alike."""

    def forward(self, pixels: Tensor) -> tuple[Tensor, Losses]:
        """For training: pixels (B, 3, H, W) -> their reconstruction at scale 1, and the losses."""
