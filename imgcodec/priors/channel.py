"""The prior of vectors: for each number of a vector a frequency table of its own; no number depends on another one."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imgcodec.bitstream.entropy import TOTAL, FrequencyTables, RangeDecoder, RangeEncoder, complete_weights
from imgcodec.bitstream.errors import InvalidFileError, UsageError

LEVELS = 255  # values of a number of a vector, 0 to 254
ZERO = LEVELS // 2
SYMBOLS = LEVELS + 1  # and the escape, which is never sent

Levels = NDArray[np.integer]


class ChannelPrior(nn.Module):
    """Vectors of `dim` integers, 0 to 254 -> bytes, and back. weights: those of `FrequencyTables`, int32 (dim, 256);
    uniform at first."""

    weights: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(dim, SYMBOLS, dtype=torch.int32))
        self._tables: FrequencyTables | None = None
        self.set_frequencies(np.ones((dim, LEVELS)))

    def set_frequencies(self, frequencies: NDArray[np.floating]) -> None:
        """Tables from how often each level was seen, (dim, 255), real numbers from 0, not all of a row 0."""
        share = frequencies / frequencies.sum(1, keepdims=True)
        floor = 2**8  # of 2**24 for each level: one that was never seen takes 16 bits
        weights = np.full((len(share), SYMBOLS), 0, np.int64)
        weights[:, :LEVELS] = floor + np.floor(share * (TOTAL - SYMBOLS - floor * LEVELS))
        self.set_weights(torch.from_numpy(complete_weights(weights).astype(np.int32)))

    def set_weights(self, weights: Tensor) -> None:
        """The weights of a model file, int32 (dim, 256); `tables` checks them."""
        self.weights.copy_(weights)
        self._tables = None

    @property
    def tables(self) -> FrequencyTables:
        """Raises UsageError where the weights are none."""
        if self._tables is None:
            weights = self.weights.cpu().numpy()
            if (weights < 0).any():
                raise UsageError("A frequency table has negative weights.")
            self._tables = FrequencyTables(weights.astype(np.uint32), np.zeros(len(weights), np.uint8))
        return self._tables

    def write(self, levels: Levels) -> bytes:
        """A vector's integers (dim,) -> the bytes of them."""
        coder = RangeEncoder(self.tables)
        coder.code(levels.astype(np.int32) - ZERO, np.arange(len(levels)))
        return coder.finish()

    def read(self, data: bytes) -> NDArray[np.int32]:
        """The inverse of `write`. Raises InvalidFileError for bytes of no vector."""
        centred = RangeDecoder(self.tables, data).code(None, np.arange(len(self.weights)))
        if np.abs(centred.astype(np.int64)).max() > ZERO:
            raise InvalidFileError("The features are damaged: one of them is out of range.")
        return centred + ZERO

    def bits(self, levels: Levels) -> NDArray[np.float64]:
        """The bits that each number of vectors (N, dim) takes, (N, dim)."""
        lengths = 24 - np.log2(self.weights.cpu().numpy()[:, :LEVELS] + 1.0)
        found: NDArray[np.float64] = np.take_along_axis(lengths[None], np.asarray(levels)[:, :, None], 2)[:, :, 0]
        return found


def known_bytes(prior: ChannelPrior) -> str:
    """The answer of the known-answer test: SHA-256, as hexadecimal, of the bytes of a vector whose numbers are hashes
    of their places (Knuth's multiplicative hash)."""
    numbers = np.arange(len(prior.weights), dtype=np.uint64)
    levels = ((numbers * np.uint64(2654435761) % np.uint64(2**32)) >> np.uint64(8)).astype(np.int64) % LEVELS
    return hashlib.sha256(prior.write(levels)).hexdigest()
