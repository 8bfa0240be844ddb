"""How near a decoded picture is to its original, in NumPy: PSNR, MS-SSIM and SSIMULACRA 2.1.

All of them take uint8 RGB (H, W, 3). Where a picture is too small for a metric, its value is None.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from imgcodec.metrics.definitions import (
    MS_SSIM_K1,
    MS_SSIM_K2,
    MS_SSIM_MIN_SIDE,
    MS_SSIM_RADIUS,
    MS_SSIM_SIGMA,
    MS_SSIM_WEIGHTS,
)
from imgcodec.metrics.ssimulacra2 import Ssimulacra2

RGBPixels = NDArray[np.uint8]
"""(H, W, 3)."""

MAX_DB = 100.0  # of identical pictures, in PSNR and MS-SSIM: means and JSON have no use for infinity

C1, C2 = (MS_SSIM_K1 * 255) ** 2, (MS_SSIM_K2 * 255) ** 2


def psnr(original: RGBPixels, distorted: RGBPixels) -> float:
    """Peak signal-to-noise ratio in dB over all three channels, peak 255; 100 for identical pictures.

    Raises ValueError if the sizes differ.
    """
    if original.shape != distorted.shape:
        raise ValueError(f"Pictures of different sizes: {original.shape} and {distorted.shape}.")
    difference = original.astype(np.float64).ravel()
    difference -= distorted.ravel()
    # Sums of squares of whole numbers below 2^53: exact in any order of summation.
    squared_error = float(difference @ difference)
    return 10 * math.log10(255**2 / (squared_error / difference.size)) if squared_error else MAX_DB


def to_db(similarity: float) -> float:
    """-10 log10(1 - x), the scale on which MS-SSIM is plotted; at most 100."""
    return -10 * math.log10(max(1 - similarity, 10 ** (-MAX_DB / 10)))


class MsSsim:
    """Multi-scale SSIM (Wang, Simoncelli, Bovik 2003) of distorted pictures against one original.

    Defined as in the package `pytorch_msssim`, which the learned-compression papers use: an 11 x 11 Gaussian window of
    sigma 1.5 without padding, five scales, the mean of the three channels' values. A channel whose structure is
    negative at some scale has the value zero.
    """

    def __init__(self, original: RGBPixels) -> None:
        self._shape = original.shape
        self._fits = min(original.shape[:2]) >= MS_SSIM_MIN_SIDE
        # For each channel and scale: the plane, its local mean, its local variance. Two of them as float32, to save
        # memory: planes are exact in it, and a variance needs float64 only until the difference is taken. The mean
        # keeps its precision, because covariances are computed with it later.
        self._channels: list[list[tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float32]]]] = []
        for channel in range(3 if self._fits else 0):
            plane = original[..., channel].astype(np.float64)
            scales = []
            for scale in range(len(MS_SSIM_WEIGHTS)):
                plane = _pool(plane) if scale else plane
                mean = _window_mean(plane)
                variance = _window_mean(plane * plane) - mean * mean
                scales.append((plane.astype(np.float32), mean, variance.astype(np.float32)))
            self._channels.append(scales)

    def __call__(self, distorted: RGBPixels) -> float | None:
        """0 to 1; None for a picture with a side under 161 pixels. Raises ValueError if the sizes differ."""
        if distorted.shape != self._shape:
            raise ValueError(f"Pictures of different sizes: {self._shape} and {distorted.shape}.")
        if not self._fits:
            return None
        return float(np.mean([self._channel(channel, distorted[..., channel]) for channel in range(3)]))

    def _channel(self, channel: int, distorted: RGBPixels) -> float:
        plane = distorted.astype(np.float64)
        value = 1.0
        for scale, weight in enumerate(MS_SSIM_WEIGHTS):
            plane = _pool(plane) if scale else plane
            original, original_mean, original_variance = self._channels[channel][scale]
            mean = _window_mean(plane)
            variance = _window_mean(plane * plane) - mean * mean
            covariance = _window_mean(original * plane) - original_mean * mean  # float32 * float64 is float64
            similarity = (2 * covariance + C2) / (original_variance + variance + C2)
            if scale == len(MS_SSIM_WEIGHTS) - 1:  # luminance counts at the coarsest scale only
                similarity *= (2 * original_mean * mean + C1) / (original_mean**2 + mean**2 + C1)
            value *= max(float(similarity.mean()), 0.0) ** weight
        return value


def _gaussian_window() -> NDArray[np.float64]:
    position = np.arange(-MS_SSIM_RADIUS, MS_SSIM_RADIUS + 1)
    window = np.exp(-(position**2) / (2 * MS_SSIM_SIGMA**2))
    return np.asarray(window / window.sum())


_WINDOW = _gaussian_window()


def _window_mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Gaussian mean around every pixel whose window lies inside: (H, W) to (H - 10, W - 10)."""
    inside = slice(MS_SSIM_RADIUS, -MS_SSIM_RADIUS)
    rows = correlate1d(plane, _WINDOW, axis=0)[inside]
    return np.asarray(correlate1d(rows, _WINDOW, axis=1)[:, inside])


def _pool(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of 2 x 2. An odd side is padded with a zero at its beginning, as `avg_pool2d(kernel_size=2, padding=size %
    2)` does in `pytorch_msssim`."""
    height, width = plane.shape
    plane = np.pad(plane, ((height % 2, 0), (width % 2, 0)))
    return (plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]) / 4


@dataclass(frozen=True)
class Scores:
    """The metrics of one decoded picture. None: it is too small for that metric."""

    psnr: float  # dB
    ms_ssim: float | None  # 0..1
    ssimulacra2: float | None  # at most 100


class Reference:
    """An original to compare many decoded pictures with; its part of the metrics is computed once."""

    def __init__(self, original: RGBPixels) -> None:
        """`original`: uint8 (H, W, 3)."""
        self.original = original
        self._ms_ssim = MsSsim(original)
        self._ssimulacra2 = Ssimulacra2(original)

    def score(self, distorted: RGBPixels) -> Scores:
        """Raises ValueError if the sizes differ."""
        return Scores(psnr(self.original, distorted), self._ms_ssim(distorted), self._ssimulacra2(distorted))
