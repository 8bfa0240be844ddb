"""Where the tables of embedded tokens start from, if something is known of the codes: vectors that say what they mean.

Rows at random tell nothing of codes that look alike, and each of thousands of codes is too rare in a short training to
learn its row from neighbours.
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
def start_embeddings(prior: RasterTransformer | PixelCNN, vectors: Sequence[Tensor]) -> None:
    """Sets the rows of tokens to a random projection of vectors (codes, n), one tensor a stage, n alike: the same
    projection in all stages, so that sums over stages mean something if sums of vectors do. Where tokens are embedded
    digit by digit, a digit's row is the mean over the codes that have it. The root mean square of rows is 1. Rows of
    codes that have no vector stay."""
    device = prior.tokens.weight.device
    deviation = torch.stack([v.float().var(0) for v in vectors]).sum(0).sqrt().to(device)
    # its square root: faint coordinates are many, and what is left after a coarse stage is faint
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
    """Vectors (codes, n) -> (sum of digits, n): the mean over the codes that have a digit, for each value of each."""
    of_codes = to_digits(torch.arange(len(vectors), device=vectors.device), digits)
    found = []
    for digit, values in enumerate(digits):
        sums = vectors.new_zeros(values, vectors.shape[1])
        for codes, part in zip(of_codes[:, digit].split(CHUNK), vectors.split(CHUNK), strict=True):
            sums.index_add_(0, codes, part)
        counts = torch.bincount(of_codes[:, digit], minlength=values).clamp(min=1)
        found.append(sums / counts[:, None])
    return torch.cat(found)
