"""From integer logits to the integer weights of the range coder: the softmax of the raster priors."""

import math

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.entropy import TOTAL, complete_weights
from imgcodec.priors.raster.protocol import LOGIT_UNIT

EXPONENTIALS = np.array([round(TOTAL * math.exp(-i / LOGIT_UNIT)) for i in range(555)] + [0], np.int64)
"""2**24 * exp(-i/32), rounded; the last entry, 0, stands for all that is smaller."""


def weights_of(logits: NDArray[np.integer]) -> NDArray[np.int64]:
    """Logits (n, V) in 1/32 nat, V <= 4096 -> weights (n, V) that sum to 2**24 - V; the coder's counts are weight + 1.

    e = EXPONENTIALS[largest - logit]; weight = floor(e * (2**24 - V) / sum(e)); what is missing from 2**24 - V goes to
    the first of the largest weights, which is the first of the largest logits. In int64: e * 2**24 is at most 2**48.
    """
    behind = logits.max(1, keepdims=True) - logits
    exponentials = EXPONENTIALS[np.minimum(behind, len(EXPONENTIALS) - 1)]
    return complete_weights(exponentials * (TOTAL - logits.shape[1]) // exponentials.sum(1, keepdims=True))
