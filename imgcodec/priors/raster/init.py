"""Initialisation of token embeddings from the vectors that codes are decoded to.

Random embeddings do not say which codes look alike, and each of thousands of codes is too rare in a short training to
learn it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from imgcodec.priors.raster.pixelcnn import PixelCNN
from imgcodec.priors.raster.protocol import to_digits
from imgcodec.priors.raster.transformer import RasterTransformer

SEED = 1
CHUNK = 2**14


@torch.no_grad()
def init_embeddings(prior: RasterTransformer | PixelCNN, vectors: Sequence[Tensor]) -> None:
    """Sets the embeddings of tokens to a random projection of code vectors (codebook_size, n), one tensor per stage.

    All stages have the same projection, so that sums of embeddings over stages mean what sums of vectors mean. Where
    tokens are embedded digit by digit, a digit's embedding is the mean over the codes that have it. The root mean
    square of the embeddings is 1. Codes without a vector keep theirs."""
    device = prior.tokens.weight.device
    deviation = torch.stack([v.float().var(0) for v in vectors]).sum(0).sqrt().to(device)
    # weighted by its square root: faint coordinates are many, and residuals after a coarse stage are faint
    scale = (deviation / deviation.max().clamp(min=1e-12)).clamp(min=1e-6).rsqrt()
    generator = torch.Generator().manual_seed(SEED)
    width = prior.tokens.weight.shape[1]
    projection = torch.randn(len(scale), width, generator=generator).to(device) * scale[:, None]
    whole = not isinstance(prior, RasterTransformer) or prior.whole
    stages = []
    for stage in vectors:
        means = (stage.float() - stage.float().mean(0)).to(device)
        stages.append((means if whole else digit_means(means, prior.digits)) @ projection)
    size = torch.cat(stages).square().mean().sqrt().clamp(min=1e-12)
    stride = prior.rows if isinstance(prior, RasterTransformer) else 0
    for number, rows in enumerate(stages):
        prior.tokens.weight[number * stride : number * stride + len(rows)] = rows / size


def digit_means(vectors: Tensor, digits: tuple[int, ...]) -> Tensor:
    """Vectors (codebook_size, n) -> (sum of digits, n): for each value of each digit, the mean over codes with it."""
    of_codes = to_digits(torch.arange(len(vectors), device=vectors.device), digits)
    means = []
    for digit, values in enumerate(digits):
        sums = vectors.new_zeros(values, vectors.shape[1])
        for codes, part in zip(of_codes[:, digit].split(CHUNK), vectors.split(CHUNK), strict=True):
            sums.index_add_(0, codes, part)
        counts = torch.bincount(of_codes[:, digit], minlength=values).clamp(min=1)
        means.append(sums / counts[:, None])
    return torch.cat(means)
