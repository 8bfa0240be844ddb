"""Where tokenizers start from: the Karhunen-Loeve transform of blocks, principal directions, clusters; and the order
that codes are put into when a codebook is finished.

Narrow networks from scratch take days to find what an eigendecomposition gives in seconds.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.quantizers import VectorQuantizer

# The constant beside the latents, in units of their root mean square norm. The larger, the nearer are angles to
# distances, and the less does the sphere curve; but also the smaller the share of the sphere that is used.
CONSTANT = 2.0
ROUNDS = 8
SAMPLES = 2**15  # that codewords are made from, or, of large codebooks, so many a code:
SAMPLES_A_CODE = 4
CHUNK = 4096


@torch.no_grad()
def block_basis(crops: Tensor, block: int, channels: int) -> Tensor:
    """Crops (N, 3, H, W) in 0..1 -> the `channels` principal directions of their blocks about medium grey, orthonormal,
    (channels, 3, block, block)."""
    blocks = (crops - 0.5).unfold(2, block, block).unfold(3, block, block)
    blocks = blocks.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * block * block)
    return principal(blocks, channels).reshape(channels, 3, block, block)


@torch.no_grad()
def principal(samples: Tensor, count: int) -> Tensor:
    """Samples (n, d) -> the `count` orthonormal directions of most energy, (count, d), about zero."""
    energy = (samples.T @ samples).double().cpu()  # not every device has float64
    _, vectors = torch.linalg.eigh(energy)
    return vectors.flip(1).T[:count].float().to(samples.device)


@torch.no_grad()
def start_transforms(analysis_linear: nn.Conv2d, synthesis_linear: nn.Conv2d, basis: Tensor) -> None:
    """Sets the linear paths, (channels, 3, b, b) and back, to a basis and its transpose, without biases."""
    set_layer(analysis_linear, basis, basis.new_zeros(len(basis)))
    set_layer(synthesis_linear, basis.flatten(1).T, basis.new_zeros(basis[0].numel()))


@torch.no_grad()
def set_layer(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    """Copies weight, of the layer's shape or (outputs, inputs) for one of 1x1, and bias (outputs,)."""
    assert layer.bias is not None
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    layer.bias.copy_(bias)


@torch.no_grad()
def start_quantizer(quantizer: VectorQuantizer, latents: Tensor, seed: int = 1) -> None:
    """Sets projections, codebook and gains from latents (n, channels).

    The projection goes to the principal directions but for the last dimension, which becomes a constant: so the angle
    that is looked up knows how large the latent was, and a codeword divided by its last coordinate is a latent again.
    """
    dimensions, channels = quantizer.codebook.shape[1], latents.shape[1]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(latents), generator=generator)[: max(SAMPLES, SAMPLES_A_CODE * quantizer.codes)]
    latents = latents[order.to(latents.device)].float()
    mean = latents.mean(0)
    directions = principal(latents - mean, min(dimensions - 1, channels))
    inner = (latents - mean) @ directions.T
    constant = CONSTANT * inner.square().sum(1).mean().sqrt().clamp(min=1e-6)
    into = torch.zeros(dimensions, channels, device=latents.device)
    into[: len(directions)] = directions / constant
    bias = -into @ mean
    bias[-1] = 1
    set_layer(quantizer.project_in, into, bias)
    set_layer(quantizer.project_out, (into * constant**2).T, mean)

    z = latents @ into.T + bias
    means, tokens = spherical_kmeans(z, quantizer.codes, generator)
    # Multiplied with its gain, a codeword is the mean of its latents as nearly as its direction allows.
    sums = torch.zeros_like(means).index_add_(0, tokens, z)
    counts = torch.bincount(tokens, minlength=quantizer.codes)
    along = (sums * means).sum(1) / counts.clamp(min=1)
    gain = torch.where(counts > 0, along, 1 / means[:, -1].clamp(min=0.1))
    quantizer.codebook.copy_(means if quantizer.l2_norm else means * gain[:, None])
    quantizer.gain.copy_(gain if quantizer.l2_norm else torch.ones_like(gain))


def spherical_kmeans(z: Tensor, codes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points (n, d) -> directions (codes, d) and the nearest of them to each point, (n,). Starts from points at random,
    again and again with a little noise where there are fewer than codes; directions that nobody is near stay."""
    unit = F.normalize(z, dim=1)
    means = unit[: min(codes, len(unit))]
    if len(means) < codes:
        means = means.repeat(-(-codes // len(means)), 1)[:codes]
        noise = torch.randn(means.shape, generator=generator).to(z.device)
        means = F.normalize(means + 0.02 * noise, dim=1)
    for _ in range(ROUNDS):
        tokens = _closest(unit, means)
        sums = torch.zeros_like(means).index_add_(0, tokens, unit)
        means = torch.where(sums.any(1, keepdim=True), F.normalize(sums, dim=1), means)
    return means, _closest(unit, means)


def _closest(unit: Tensor, means: Tensor) -> Tensor:
    return torch.cat([(piece @ means.T).argmax(1) for piece in unit.split(CHUNK)])


@torch.no_grad()
def tree_order(vectors: Tensor) -> Tensor:
    """Vectors (codes, n) -> the codes in an order (codes,) of which each half is a cluster, and each half of a half,
    and so on: sorted along the direction in which they differ most, cut in the middle, each part likewise. The leading
    digits of a place in it say roughly where the vector lies, and directions point the same way in all parts, so that
    later digits mean much the same after any first one."""
    overall = principal(vectors - vectors.mean(0), vectors.shape[1])

    def order(codes: Tensor) -> Tensor:
        if len(codes) < 2:
            return codes
        centred = vectors[codes] - vectors[codes].mean(0)
        direction = principal(centred, 1)[0]
        along = overall @ direction
        codes = codes[(centred @ direction * along[along.abs().argmax()].sign()).argsort(stable=True)]
        middle = (len(codes) + 1) // 2
        return torch.cat([order(codes[:middle]), order(codes[middle:])])

    return order(torch.arange(len(vectors), device=vectors.device))
