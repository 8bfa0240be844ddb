"""Frequency tables of the `photo` prior: how a token's parameters choose one, and what it contains.

`mean` and `scale` come in sixteenths. The integer nearest to `mean` is subtracted from the token; what is left of it
(16 fractions) and `scale` (64) choose a table. Scale s stands for a logistic distribution of width 0.03 * e^(s/8),
that is 0.03 to 79 tokens. Tables start as that distribution and are fitted to what training pictures really have.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, complete_weights

UNIT = 16
SCALES = 64
MIN_WIDTH = 0.03
MAX_SCALE = (SCALES - 1) / UNIT
HALF = 24  # a table has the values -24..24 and an escape


def centre_and_table(mean: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters in sixteenths, integers -> the integer to subtract from a token, and the index of its table."""
    shifted = mean + UNIT // 2
    return shifted >> 4, np.clip(scale, 0, SCALES - 1) * UNIT + (shifted & (UNIT - 1))


def logistic_tables() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (1024, 50) of -24..24 and escape, and shifts (1024,): a table with shift k has intervals of 2**k
    values, so that 24 of them reach eight widths out."""
    width = MIN_WIDTH * np.exp(np.arange(SCALES) / 8).repeat(UNIT)[:, None]
    centre = np.tile((np.arange(UNIT) - UNIT // 2) / UNIT, SCALES)[:, None]
    shift = np.ceil(np.log2(np.maximum(1, (8 * width + 8) / HALF))).astype(np.uint8)
    edges = np.arange(-HALF, HALF + 2) * 2.0**shift - 0.5
    cumulative = 0.5 + 0.5 * np.tanh((edges - centre) / (2 * width))
    inner = np.diff(cumulative, axis=1)
    return np.concatenate([inner, 1 - inner.sum(1, keepdims=True).clip(max=1)], 1), shift[:, 0]


def fit_tables(counts: np.ndarray, confidence: float = 100.0) -> FrequencyTables:
    """Tables from symbol counts (1024, 50), drawn towards the logistic ones as if those had been seen `confidence`
    times."""
    prior, shift = logistic_tables()
    probabilities = (counts + confidence * prior) / (counts.sum(1, keepdims=True) + confidence)
    return FrequencyTables(integer_weights(probabilities), shift)


def stored_tables(tensors: Mapping[str, Any]) -> FrequencyTables:
    """The tables in the tensors of a model file, of torch or not. Raises ValueError for what they cannot be, KeyError
    where they are missing."""
    weights, shift = tensors["tables.weights"].numpy(), tensors["tables.shift"].numpy()
    if (weights.dtype, shift.dtype) != (np.int32, np.uint8):
        raise ValueError(f"its tables are {weights.dtype} and {shift.dtype} instead of int32 and uint8")
    return FrequencyTables(weights.astype(np.uint32), shift)


def integer_weights(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (n, V), each row up to a factor -> uint32 weights (n, V) of `FrequencyTables`."""
    free = TOTAL - probabilities.shape[1]
    weights = np.floor(probabilities / probabilities.sum(1, keepdims=True) * free).astype(np.int64)
    return complete_weights(weights).astype(np.uint32)
