"""Initialisation of tokenizers from data: the Karhunen-Loeve transform of blocks, principal directions, clusters; and
the order of the codes of a trained codebook.

Narrow networks from scratch take days to find what an eigendecomposition gives in seconds.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgcodec.tokenizers.quantizers import VectorQuantizer

# The constant beside the latents, in units of their root mean square norm. The larger it is, the nearer are angles to
# distances, because the sphere curves less; but the less of the sphere is used, too.
CONSTANT = 2.0
KMEANS_ROUNDS = 8
MIN_SAMPLES = 2**15  # latents that codewords are made from; more for large codebooks:
SAMPLES_PER_CODE = 4
CHUNK = 4096


@torch.no_grad()
def block_basis(crops: Tensor, block: int, channels: int) -> Tensor:
    """Crops (N, 3, H, W) in 0..1 -> the `channels` principal directions of their blocks about medium gray, orthonormal,
    (channels, 3, block, block)."""
    blocks = (crops - 0.5).unfold(2, block, block).unfold(3, block, block)
    blocks = blocks.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * block * block)
    return principal_directions(blocks, channels).reshape(channels, 3, block, block)


@torch.no_grad()
def principal_directions(samples: Tensor, count: int) -> Tensor:
    """Samples (n, d) -> the `count` orthonormal directions of most energy, (count, d). Means are not subtracted."""
    energy = (samples.T @ samples).double().cpu()  # not every device has float64
    _, vectors = torch.linalg.eigh(energy)
    return vectors.flip(1).T[:count].float().to(samples.device)


@torch.no_grad()
def init_transforms(analysis_linear: nn.Conv2d, synthesis_linear: nn.Conv2d, basis: Tensor) -> None:
    """Sets the linear paths to a basis (channels, 3, b, b) and to its transpose, biases to zero."""
    set_conv(analysis_linear, basis, basis.new_zeros(len(basis)))
    set_conv(synthesis_linear, basis.flatten(1).T, basis.new_zeros(basis[0].numel()))


@torch.no_grad()
def set_conv(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    """Sets a convolution: weight of its shape, or (outputs, inputs) if it is 1x1, and bias (outputs,)."""
    assert layer.bias is not None
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    layer.bias.copy_(bias)


@torch.no_grad()
def init_quantizer(quantizer: VectorQuantizer, latents: Tensor, seed: int = 1) -> None:
    """Sets projections, codebook and gains from latents (n, channels).

    The projection goes to the principal directions, and its last dimension becomes a constant: so the angle that is
    looked up says how large the latent was, and a codeword divided by its last coordinate is a latent again.
    """
    dimensions, channels = quantizer.codebook.shape[1], latents.shape[1]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(latents), generator=generator)[
        : max(MIN_SAMPLES, SAMPLES_PER_CODE * quantizer.codebook_size)
    ]
    latents = latents[order.to(latents.device)].float()
    mean = latents.mean(0)
    directions = principal_directions(latents - mean, min(dimensions - 1, channels))
    inner = (latents - mean) @ directions.T
    constant = CONSTANT * inner.square().sum(1).mean().sqrt().clamp(min=1e-6)
    into = torch.zeros(dimensions, channels, device=latents.device)
    into[: len(directions)] = directions / constant
    bias = -into @ mean
    bias[-1] = 1
    set_conv(quantizer.project_in, into, bias)
    set_conv(quantizer.project_out, (into * constant**2).T, mean)

    z = latents @ into.T + bias
    means, tokens = spherical_kmeans(z, quantizer.codebook_size, generator)
    # Multiplied with its gain, a codeword is the mean of its latents as nearly as its direction allows.
    sums = torch.zeros_like(means).index_add_(0, tokens, z)
    counts = torch.bincount(tokens, minlength=quantizer.codebook_size)
    along = (sums * means).sum(1) / counts.clamp(min=1)
    gain = torch.where(counts > 0, along, 1 / means[:, -1].clamp(min=0.1))
    quantizer.codebook.copy_(means if quantizer.l2_norm else means * gain[:, None])
    quantizer.gain.copy_(gain if quantizer.l2_norm else torch.ones_like(gain))


def spherical_kmeans(z: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points (n, d) -> `count` directions (count, d), and the index of the nearest one to each point, (n,).

    The first directions are random points; where there are too few, they are repeated with a little noise. A direction
    that is the nearest to no point stays where it is."""
    unit = F.normalize(z, dim=1)
    means = unit[: min(count, len(unit))]
    if len(means) < count:
        means = means.repeat(-(-count // len(means)), 1)[:count]
        noise = torch.randn(means.shape, generator=generator).to(z.device)
        means = F.normalize(means + 0.02 * noise, dim=1)
    for _ in range(KMEANS_ROUNDS):
        nearest = _nearest(unit, means)
        sums = torch.zeros_like(means).index_add_(0, nearest, unit)
        means = torch.where(sums.any(1, keepdim=True), F.normalize(sums, dim=1), means)
    return means, _nearest(unit, means)


def _nearest(unit: Tensor, means: Tensor) -> Tensor:
    return torch.cat([(piece @ means.T).argmax(1) for piece in unit.split(CHUNK)])


@torch.no_grad()
def tree_order(vectors: Tensor) -> Tensor:
    """Code vectors (codebook_size, n) -> an order of the codes, (codebook_size,), in which each half is a cluster, each
    half of a half, and so on: sorted along the direction in which they differ most, cut in the middle, each part
    likewise. So the leading digits of a code's new number say roughly where its vector lies. Directions point the same
    way in all parts, so that later digits mean much the same after any first one."""
    overall = principal_directions(vectors - vectors.mean(0), vectors.shape[1])

    def order(codes: Tensor) -> Tensor:
        if len(codes) < 2:
            return codes
        centred = vectors[codes] - vectors[codes].mean(0)
        direction = principal_directions(centred, 1)[0]
        along = overall @ direction
        codes = codes[(centred @ direction * along[along.abs().argmax()].sign()).argsort(stable=True)]
        middle = (len(codes) + 1) // 2
        return torch.cat([order(codes[:middle]), order(codes[middle:])])

    return order(torch.arange(len(vectors), device=vectors.device))
