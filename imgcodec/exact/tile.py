"""The exact samples of a tile, by whichever of two methods takes fewer bytes (`docs/format.md`, section 9.1)."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.exact import predicted, vp8l
from imgcodec.exact.predicted import Samples

_SAMPLE = 192  # pixels: the side of the part that both methods are tried on, to tell whether both are worth it
_ALIKE = 0.3  # share of pixels that are the one on their left or above; photographs have less, drawings mostly more


class Method(IntEnum):
    """The first byte of the data."""

    VP8L = 0
    PREDICTED = 1


def encode(samples: Samples) -> bytes:
    """The data of samples (channels, H, W) of a tile. Both methods are tried on all of it where neither is clearly the
    smaller on its middle."""
    methods = [Method.PREDICTED] if samples.dtype != np.uint8 else [Method.VP8L, Method.PREDICTED]
    if len(methods) > 1 and samples[0].size > 2 * _SAMPLE**2:
        top, left = (max(0, side - _SAMPLE) // 2 for side in samples.shape[1:])
        middle = samples[:, top : top + _SAMPLE, left : left + _SAMPLE]
        drawn, photographed = (len(_encode(middle, method)) for method in methods)
        if photographed > 2 * drawn:
            methods = [Method.VP8L]
        elif photographed < drawn and _alike(samples) < _ALIKE:
            methods = [Method.PREDICTED]
    return min((_encode(samples, method) for method in methods), key=len)


def _encode(samples: Samples, method: Method) -> bytes:
    data = vp8l.encode(samples.astype(np.uint8)) if method == Method.VP8L else predicted.encode(samples)
    return bytes([method]) + data


def decode(data: bytes, shape: tuple[int, int, int], depth: int) -> Samples:
    """The samples (channels, H, W) of a tile. depth: bits of a sample, 1 to 16. Raises InvalidFileError for data that
    no encoder makes."""
    if not data or data[0] not in (Method.VP8L, Method.PREDICTED):
        raise InvalidFileError("The exact pixels are of a kind that this program does not know.")
    if data[0] == Method.PREDICTED:
        found = predicted.decode(data[1:], shape, np.uint8 if depth <= 8 else np.uint16)
        if depth > 8 and int(found.max()) >= 2**depth:
            raise InvalidFileError(f"The exact pixels are damaged: a sample has more than {depth} bits.")
        return found
    if depth > 8:
        raise InvalidFileError("The exact pixels are damaged: a VP8L has no samples of more than 8 bits.")
    return vp8l.decode(data[1:], shape)


def _alike(samples: NDArray[np.integer]) -> float:
    """The share of pixels that are the one on their left or the one above."""
    if min(samples.shape[1:]) < 2:
        return 1.0
    here = samples[:, 1:, 1:]
    left, above = (here == samples[:, 1:, :-1]).all(0), (here == samples[:, :-1, 1:]).all(0)
    return float((left | above).mean())
