"""The quantizers of the raster tokenizers: a learned codebook, and binary spherical quantization, which needs none.

Both take latents (B, channels, h, w), give tokens int64 (B, h, w), pass gradients straight through, and compute in
float32 under any autocast: bfloat16 has three decimal digits, too few to find the nearest codeword with.
"""

from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from imgcodec.tokenizers.layers import straight_through
from imgcodec.tokenizers.protocol import Losses

MAX_BITS = 18
MAX_CODEBOOK_SIZE = 2**MAX_BITS
SEARCH_CHUNK = 2048  # latents that are searched for at once: 128 MiB of similarities with 16384 codes
ENTROPY_SAMPLES = 512  # latents; they estimate the entropy of a batch about as well as all of them would
MIN_PROBABILITY = 1e-5  # the entropy of smaller ones has no gradient, as in vector-quantize-pytorch


class Quantized(NamedTuple):
    """values: (B, C, h, w), what the decoder is given, with straight-through gradients. tokens: int64 (B, h, w)."""

    values: Tensor
    tokens: Tensor
    losses: Losses


class VectorQuantizer(nn.Module):
    """The nearest of `codebook_size` learned codewords, in a space of few dimensions between two linear projections
    (ViT-VQGAN, Yu et al. 2022; DAC and SNAC do the same).

    l2_norm: latents and codewords are normalised, so that the nearest has the smallest angle. An angle does not say how
    large a latent was: codewords are multiplied with a learned `gain` each afterwards. Where the projection has a bias,
    magnitudes become angles, and the gain restores them (`imgcodec.tokenizers.init`).

    temperature: of the softmax of squared distances that the entropy loss is made of; low for latents that lie close
    together.

    Codewords learn from the vq loss. In training mode `used` counts how often each was the nearest since the last
    `revive`, which the training loop calls every so many steps: it moves codewords that were never the nearest to
    latents of the last batch. It draws no random numbers, sums the counts over processes and takes the latents of
    process 0, so it does the same in every run and in every process. (Processes must have batches of one size.)
    """

    def __init__(
        self, channels: int, codebook_size: int, dimensions: int, l2_norm: bool = True, temperature: float = 0.01
    ) -> None:
        super().__init__()
        self.codebook_size, self.l2_norm, self.temperature = codebook_size, l2_norm, temperature
        self.project_in = nn.Conv2d(channels, dimensions, 1)
        self.project_out = nn.Conv2d(dimensions, channels, 1)
        self.codebook = nn.Parameter(torch.randn(codebook_size, dimensions) / dimensions**0.5)
        self.gain = nn.Parameter(torch.ones(codebook_size), requires_grad=l2_norm)
        self.register_buffer("used", torch.zeros(codebook_size))
        self.used: Tensor
        self._recent: Tensor | None = None  # latents of the last batch in training mode (n, dimensions)

    def encode(self, latent: Tensor) -> Tensor:
        return self._nearest(self.project(latent))

    def lookup(self, tokens: Tensor) -> Tensor:
        """Tokens (B, h, w) -> values (B, channels, h, w)."""
        with torch.autocast(tokens.device.type, enabled=False):
            words = self.codewords()[tokens] * self.gain[tokens][..., None]
            return self.project_out(words.permute(0, 3, 1, 2))

    @torch.no_grad()
    def code_vectors(self) -> Tensor:
        """What each code is decoded to, (codebook_size, channels)."""
        tokens = torch.arange(self.codebook_size, device=self.codebook.device)
        return self.lookup(tokens[None, None])[0, :, 0].T

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Makes code order[i], of (codebook_size,), code i; what is decoded stays the same."""
        for tensor in (self.codebook, self.gain, self.used):
            tensor.copy_(tensor[order.to(tensor.device)])

    def pass_through(self, latent: Tensor) -> Tensor:
        """The values (B, channels, h, w) of a latent whose codeword is the latent itself, with a gain of 1."""
        with torch.autocast(latent.device.type, enabled=False):
            return self.project_out(self.project(latent).permute(0, 3, 1, 2))

    def forward(self, latent: Tensor) -> Quantized:
        z = self.project(latent)
        with torch.autocast(latent.device.type, enabled=False):
            tokens = self._nearest(z)
            words = F.embedding(tokens, self.codewords())
            vq, commit = F.mse_loss(words, z.detach()), F.mse_loss(z, words.detach())
            counts = torch.bincount(tokens.flatten(), minlength=self.codebook_size).float()
            entropy = z.new_zeros(())
            if self.training:
                entropy = self._entropy(z.flatten(0, 2))
                self._count(counts, z.detach().flatten(0, 2))
            scaled = straight_through(words, z) * self.gain[tokens][..., None]
            values = self.project_out(scaled.permute(0, 3, 1, 2))
        return Quantized(values, tokens, Losses(vq, commit, entropy, _usage(counts)))

    def project(self, latent: Tensor) -> Tensor:
        """Latents (B, channels, h, w) -> points of the codebook's space (B, h, w, dimensions)."""
        with torch.autocast(latent.device.type, enabled=False):
            z = self.project_in(latent.float()).permute(0, 2, 3, 1)
            return F.normalize(z, dim=-1) if self.l2_norm else z

    def codewords(self) -> Tensor:
        """(codebook_size, dimensions), before the gain."""
        return F.normalize(self.codebook, dim=-1) if self.l2_norm else self.codebook

    @torch.no_grad()
    def revive(self) -> int:
        """Moves codewords that were not used to latents of the last batch; returns how many. To be called in all
        processes or in none."""
        dead = (self.used == 0).nonzero()[:, 0]
        self.used.zero_()
        if self._recent is None or not len(dead):
            return 0
        recent = self._recent.contiguous()
        if _processes() > 1:
            distributed.broadcast(recent, 0)
        dead = dead[: len(recent)]  # two equal codewords would be one
        chosen = recent[torch.linspace(0, len(recent) - 1, len(dead), device=recent.device).round().long()]
        nearest = self._nearest(chosen)
        self.codebook[dead] = chosen
        self.gain[dead] = self.gain[nearest]
        return len(dead)

    @torch.no_grad()
    def _nearest(self, z: Tensor) -> Tensor:
        words = self.codewords()
        bias = words.square().sum(1) / 2 if not self.l2_norm else torch.zeros_like(words[:, 0])
        pieces = z.reshape(-1, z.shape[-1]).split(SEARCH_CHUNK)
        return torch.cat([torch.addmm(-bias, piece, words.T).argmax(1) for piece in pieces]).reshape(z.shape[:-1])

    def _entropy(self, z: Tensor) -> Tensor:
        """Mean entropy of each latent's soft assignment minus the entropy of their mean, in nats."""
        z = z[:: -(-len(z) // ENTROPY_SAMPLES)]
        words = self.codewords()
        distances = z.square().sum(1, keepdim=True) - 2 * z @ words.T + words.square().sum(1)
        assignment = (-distances / self.temperature).softmax(1)
        return _entropy_of(assignment).mean() - _entropy_of(assignment.mean(0))

    @torch.no_grad()
    def _count(self, counts: Tensor, z: Tensor) -> None:
        counts = counts.clone()
        if _processes() > 1:
            distributed.all_reduce(counts)
        self.used += counts
        self._recent = z


class BinarySphericalQuantizer(nn.Module):
    """Binary spherical quantization (BSQ, Zhao et al. 2024): latents (B, bits, h, w) are normalised, then replaced by
    their signs / sqrt(bits), the corners of a cube inside the sphere. No parameters; the first channel is the highest
    bit of a token.

    inverse_temperature: of the soft assignment to corners, softmax(2 * inverse_temperature * u . corner), whose bits
    are independent: each is set with probability sigmoid(4 * inverse_temperature * u_i / sqrt(bits)). So the entropy of
    one latent's assignment is the sum over bits. That of the mean over the batch is bounded by the sum over bits,
    which is used here, as in the paper: no tensor has 2**18 probabilities.
    """

    def __init__(self, bits: int, inverse_temperature: float = 10.0) -> None:
        super().__init__()
        if not 1 <= bits <= MAX_BITS:
            raise ValueError(f"there may be 1 to {MAX_BITS} bits, not {bits}")
        self.bits, self.inverse_temperature = bits, inverse_temperature

    def encode(self, latent: Tensor) -> Tensor:
        return bits_to_index(latent > 0)

    def lookup(self, tokens: Tensor) -> Tensor:
        """Tokens (B, h, w) -> values (B, bits, h, w), each 1 or -1 over sqrt(bits)."""
        return (index_to_bits(tokens, self.bits).float() * 2 - 1) / self.bits**0.5

    def forward(self, latent: Tensor) -> Quantized:
        with torch.autocast(latent.device.type, enabled=False):
            u = F.normalize(latent.float(), dim=1)
            hard = torch.where(u > 0, 1.0, -1.0) / self.bits**0.5
            tokens = bits_to_index(u > 0)
            commit = F.mse_loss(u, hard)
            on = torch.sigmoid(4 * self.inverse_temperature / self.bits**0.5 * u)
            chosen = _binary_entropy(on).sum(1).mean()
            overall = _binary_entropy(on.mean((0, 2, 3))).sum()
            losses = Losses(u.new_zeros(()), commit, chosen - overall, self._usage(tokens))
        return Quantized(straight_through(hard, u), tokens, losses)

    def _usage(self, tokens: Tensor) -> Tensor:
        _, counts = tokens.unique(return_counts=True)
        return _perplexity(counts.float()) / 2**self.bits


def bits_to_index(bits: Tensor) -> Tensor:
    """Bits (B, bits, h, w), highest first -> int64 (B, h, w). By products: shifts are not right on every device."""
    index = torch.zeros_like(bits[:, 0], dtype=torch.int64)
    for bit in bits.unbind(1):
        index = index * 2 + bit.long()
    return index


def index_to_bits(index: Tensor, bits: int) -> Tensor:
    """The inverse of `bits_to_index`; int64, 0 or 1."""
    planes = [torch.div(index, 2**power, rounding_mode="floor") % 2 for power in reversed(range(bits))]
    return torch.stack(planes, 1)


def sum_of_losses(losses: list[Losses]) -> Losses:
    """Of several stages: losses are added, usage is the mean."""
    vq, commit, entropy, usage = (torch.stack(list(values)) for values in zip(*losses, strict=True))
    return Losses(vq.sum(), commit.sum(), entropy.sum(), usage.mean())


def _entropy_of(probabilities: Tensor) -> Tensor:
    return -(probabilities * probabilities.clamp(min=MIN_PROBABILITY).log()).sum(-1)


def _binary_entropy(p: Tensor) -> Tensor:
    return -(p * p.clamp(min=MIN_PROBABILITY).log() + (1 - p) * (1 - p).clamp(min=MIN_PROBABILITY).log())


def _perplexity(counts: Tensor) -> Tensor:
    shares = counts / counts.sum()
    return torch.special.entr(shares).sum().exp()


def _usage(counts: Tensor) -> Tensor:
    return _perplexity(counts) / len(counts)


def _processes() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
