"""SSIMULACRA 2.1, the perceptual metric of libjxl, in NumPy. `imgcodec.metrics.definitions` has its constants.

    sRGB ──► linear ──┬─ scale 1:1 ──► XYB ──► blur ──► three error maps ──► two norms of each ──┐
                      ├─ halve                                                                   ├─► weighted sum
                      └─ scale 1:2 ... 1:32, the same                                            ┘

The error maps of a channel at a scale are: 1 - SSIM without its luminance denominator, edges that the distorted picture
has and the original has not (ringing), and edges that it lost (blurring). libjxl's blur is a recursive filter, but its
impulse response is finite, nine taps: here those are applied directly.

100 is identical; 90 is hard to tell apart; 70 good; 50 medium; 30 low; very bad pictures fall below zero.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from imgcodec.metrics.definitions import (
    OPSIN,
    OPSIN_BIAS,
    SRGB_LINEAR_END,
    SRGB_OFFSET,
    SRGB_POWER,
    SRGB_SLOPE,
    SSIMULACRA2_C2,
    SSIMULACRA2_MIN_SIDE,
    SSIMULACRA2_SCALES,
    SSIMULACRA2_WEIGHTS,
    blur_taps,
    scaled_xyb,
    ssimulacra2_error,
    ssimulacra2_score,
)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_TAPS = blur_taps()


def _srgb_to_linear_table() -> Floats:
    value = np.arange(256) / 255
    power = ((value + SRGB_OFFSET) / (1 + SRGB_OFFSET)) ** SRGB_POWER
    return np.where(value <= SRGB_LINEAR_END, value / SRGB_SLOPE, power).astype(np.float32)


_LINEAR = _srgb_to_linear_table()


def _blur(plane: Floats | Doubles) -> Doubles:
    """Of (H, W). Outside the picture is zero, as in libjxl: the blur is dark at the border, in both pictures alike."""
    rows = correlate1d(plane, _TAPS, axis=0, mode="constant", output=np.float64)
    return np.asarray(correlate1d(rows, _TAPS, axis=1, mode="constant"))


def _halve(linear: Floats) -> Floats:
    """Mean of 2 x 2 pixels of (3, H, W); an odd side repeats its last row or column."""
    height, width = linear.shape[1:]
    even = np.pad(linear, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    return (even[:, ::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, ::2] + even[:, 1::2, 1::2]) * np.float32(0.25)


def _xyb(linear: Floats) -> Floats:
    """XYB of linear sRGB (3, H, W), its channels scaled to about 0..1 and the third one replaced by B - Y."""
    mixed = (OPSIN @ linear.reshape(3, -1)).reshape(linear.shape)
    mixed += OPSIN_BIAS
    long, medium, short = np.cbrt(np.maximum(mixed, 0)) - np.cbrt(OPSIN_BIAS)
    return np.stack(scaled_xyb(long, medium, short))


def _pyramid(pixels: NDArray[np.uint8]) -> list[Floats]:
    """XYB at up to six scales, from uint8 sRGB (H, W, 3)."""
    linear = _LINEAR[np.ascontiguousarray(pixels.transpose(2, 0, 1))]
    scales: list[Floats] = []
    while len(scales) < SSIMULACRA2_SCALES and min(linear.shape[1:]) >= SSIMULACRA2_MIN_SIDE:
        # As in libjxl, the size is compared before halving, so the last scale may have a side of 4 to 7.
        if scales:
            linear = _halve(linear)
        scales.append(_xyb(linear))
    return scales


def _norms(error: Doubles) -> tuple[float, float]:
    """The mean of an error map, all values at least zero, and its 4-norm."""
    squared = error * error
    return float(error.mean()), float((squared * squared).mean()) ** 0.25


class _Plane:
    """A channel of the original at one scale, with its local mean and variance.

    A variance is a small difference of large numbers, so blurs are float64 (in float32 a smooth sky costs 0.02 points
    at high quality). The mean stays so, because covariances are computed with it later.
    """

    def __init__(self, plane: Floats) -> None:
        self.plane = plane
        self.mean = _blur(plane)
        self.variance = (_blur(np.square(plane, dtype=np.float64)) - self.mean**2).astype(np.float32)

    def error_maps(self, distorted: Floats) -> tuple[Doubles, Doubles, Doubles]:
        """1 - SSIM, ringing and blurring of a distorted plane (H, W)."""
        mean = _blur(distorted)
        variance = _blur(np.square(distorted, dtype=np.float64)) - mean**2
        covariance = _blur(np.multiply(self.plane, distorted, dtype=np.float64)) - self.mean * mean
        luminance = 1 - (self.mean - mean) ** 2
        structure = (2 * covariance + SSIMULACRA2_C2) / (self.variance + variance + SSIMULACRA2_C2)
        edges = (1 + np.abs(distorted - mean)) / (1 + np.abs(self.plane - self.mean)) - 1
        return np.maximum(1 - luminance * structure, 0), np.maximum(edges, 0), np.maximum(-edges, 0)


class Ssimulacra2:
    """SSIMULACRA 2.1 of distorted pictures against one original, whose part of the work is done once."""

    def __init__(self, original: NDArray[np.uint8]) -> None:
        """`original`: sRGB, uint8 (H, W, 3)."""
        self._shape = original.shape
        self._scales = [[_Plane(plane) for plane in planes] for planes in _pyramid(original)]

    def __call__(self, distorted: NDArray[np.uint8]) -> float | None:
        """The score, at most 100; None where a side is under 8 pixels. Raises ValueError if the sizes differ."""
        if distorted.shape != self._shape:
            raise ValueError(f"Pictures of different sizes: {self._shape} and {distorted.shape}.")
        if not self._scales:
            return None
        norms = np.empty((3, len(self._scales), 2, 3))  # channel, scale, norm, map
        for scale, planes in enumerate(_pyramid(distorted)):
            for channel in range(3):
                for number, error in enumerate(self._scales[scale][channel].error_maps(planes[channel])):
                    norms[channel, scale, :, number] = _norms(error)
        return _score(norms)


def _score(norms: NDArray[np.float64]) -> float:
    error = ssimulacra2_error(float(norms.ravel() @ SSIMULACRA2_WEIGHTS[: norms.size]))
    return float(ssimulacra2_score(error)) if error > 0 else 100.0
