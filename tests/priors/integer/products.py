"""Random integers, and products whose sums stay just inside the bound."""

import math

import numpy as np
import torch

LIMIT = 2**24


def random_numbers(rng, shape, reach=LIMIT):
    """Integers below 2**24 of all magnitudes, as float32."""
    magnitude = 2.0 ** rng.uniform(0, math.log2(reach), shape)
    return torch.from_numpy(
        (rng.choice([-1, 0, 1], shape, p=[0.45, 0.1, 0.45]) * np.floor(magnitude)).clip(1 - reach, reach - 1)
    ).float()


def random_product(rng, weight_shape, largest, smallest_shift=-4):
    """Weight, bias and shift whose sums stay just inside the bound."""
    outputs = weight_shape[0]
    weight = rng.integers(-127, 128, weight_shape)
    sums = abs(weight).reshape(outputs, -1).sum(1) * largest
    shift = rng.integers(smallest_shift, 25, outputs)
    shift = np.where(sums * 2.0**-shift < LIMIT / 2, shift, rng.integers(0, 25, outputs))
    room = np.minimum(LIMIT, LIMIT * 2.0**shift) - 1 - sums
    bias = np.floor(rng.uniform(-1, 1, outputs) * room)
    return torch.from_numpy(weight), torch.from_numpy(bias), torch.from_numpy(shift)
