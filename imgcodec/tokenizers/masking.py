"""Contrast masking: the eye finds an error in a smooth sky, and hardly in foliage.

SSIM models it by dividing by the local variance. Measured by the derivative of MS-SSIM and SSIMULACRA 2.1 (see
`imgcodec.training.photo.visual`) on 24 photographs, an error in blocks of 16 x 16 pixels with hardly any contrast
counts five times as much as one in the busiest. The encoder of the visual tune chooses tokens with that in mind; a
decoder need not know.

    weight of a squared error = HIGHEST / (1 + variance of luma / KNEE) ** SLOPE

The variance is that of the block that the linear path makes of a latent. What a decoder knows is that steps are wider
where tokens have contrast (`ResidualVQ.widening`). An error of one of these steps is so much larger, and its weight is
multiplied by the square of how much. Knows no torch.
"""

import numpy as np
from numpy.typing import NDArray

from imgcodec.tokenizers.blocks import BLOCK

LUMA = (0.299, 0.587, 0.114)
HIGHEST, KNEE, SLOPE = 1.65, 170.0, 0.62  # fitted to what was measured; the knee is a variance of luma, 0..255

NARROWINGS = 2
"""How often an encoder tries what the contrast of tokens will be, which depends on how wide their steps are."""

ROUNDED_UP = 0.45
"""A value counts there as the next number away from zero where its fraction is 0.55 or more."""


def contrast(linear: NDArray[np.floating]) -> NDArray[np.float32]:
    """The weight of the linear path of a synthesis (3 * 256, C, 1, 1) -> what the square of each channel of the latent
    adds to the variance of luma, 0..255 (C,)."""
    basis = linear[:, :, 0, 0].reshape(3, BLOCK**2, -1).astype(np.float64)
    luma = np.einsum("k,kpc->pc", np.array(LUMA), basis)
    return (np.square(luma - luma.mean(0)).mean(0) * 255**2).astype(np.float32)
