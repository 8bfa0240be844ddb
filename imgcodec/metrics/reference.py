"""How far a decoded picture is from its original: PSNR, MS-SSIM and SSIMULACRA 2.1.

All of them take uint8 RGB (H, W, 3). A metric that a picture is too small for is None, never a made-up number.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from imgcodec.metrics.ssimulacra2 import Ssimulacra2

Pixels = NDArray[np.uint8]

MOST_DB = 100.0  # what an identical picture gets, in PSNR and in MS-SSIM dB: infinity has no place in a mean or in JSON


def psnr(original: Pixels, distorted: Pixels) -> float:
    """Peak signal-to-noise ratio in dB over all three channels, peak 255; 100 for identical pictures.

    Raises ValueError if the sizes differ.
    """
    if original.shape != distorted.shape:
        raise ValueError(f"Pictures of different sizes: {original.shape} and {distorted.shape}.")
    difference = original.astype(np.float64).ravel()
    difference -= distorted.ravel()
    # Sums of squares of whole numbers below 2^53: exact in any order of summation.
    squared_error = float(difference @ difference)
    return 10 * math.log10(255**2 / (squared_error / difference.size)) if squared_error else MOST_DB


def to_db(similarity: float) -> float:
    """-10 log10(1 - x), the scale on which MS-SSIM is plotted; at most 100."""
    return -10 * math.log10(max(1 - similarity, 10 ** (-MOST_DB / 10)))


class MsSsim:
    """Multi-scale SSIM (Wang, Simoncelli, Bovik 2003) of distorted pictures against one original.

    Defined as in the package `pytorch_msssim`, which the learned-compression papers use: an 11 x 11 Gaussian window of
    sigma 1.5 without padding, five scales, the mean of the three channels' values. Where a channel's structure is
    negative at some scale (nothing alike is left), its value is zero.
    """

    WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    SMALLEST_SIDE = 161  # at the fifth scale the window must still fit

    _C1 = (0.01 * 255) ** 2
    _C2 = (0.03 * 255) ** 2

    def __init__(self, original: Pixels) -> None:
        self._shape = original.shape
        self._fits = min(original.shape[:2]) >= self.SMALLEST_SIDE
        # For each channel and scale: the plane, its local mean, its local variance. Two of them as float32, to save
        # memory: planes are exact in it, and a variance needs float64 only until the difference is taken. Covariances
        # are taken from the mean later, so it keeps its precision.
        self._channels: list[list[tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float32]]]] = []
        for channel in range(3 if self._fits else 0):
            plane = original[..., channel].astype(np.float64)
            scales = []
            for scale in range(len(self.WEIGHTS)):
                plane = _pool(plane) if scale else plane
                mean = _window_mean(plane)
                variance = _window_mean(plane * plane) - mean * mean
                scales.append((plane.astype(np.float32), mean, variance.astype(np.float32)))
            self._channels.append(scales)

    def __call__(self, distorted: Pixels) -> float | None:
        """0 to 1; None for a picture with a side under 161 pixels. Raises ValueError if the sizes differ."""
        if distorted.shape != self._shape:
            raise ValueError(f"Pictures of different sizes: {self._shape} and {distorted.shape}.")
        if not self._fits:
            return None
        return float(np.mean([self._channel(channel, distorted[..., channel]) for channel in range(3)]))

    def _channel(self, channel: int, distorted: Pixels) -> float:
        plane = distorted.astype(np.float64)
        value = 1.0
        for scale, weight in enumerate(self.WEIGHTS):
            plane = _pool(plane) if scale else plane
            original, original_mean, original_variance = self._channels[channel][scale]
            mean = _window_mean(plane)
            variance = _window_mean(plane * plane) - mean * mean
            covariance = _window_mean(original * plane) - original_mean * mean  # float32 * float64 is float64
            similarity = (2 * covariance + self._C2) / (original_variance + variance + self._C2)
            if scale == len(self.WEIGHTS) - 1:  # luminance counts at the coarsest scale only
                similarity *= (2 * original_mean * mean + self._C1) / (original_mean**2 + mean**2 + self._C1)
            value *= max(float(similarity.mean()), 0.0) ** weight
        return value


def _gaussian_window() -> NDArray[np.float64]:
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    return np.asarray(window / window.sum())


_WINDOW = _gaussian_window()


def _window_mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Gaussian mean around every pixel whose window lies inside: (H, W) to (H - 10, W - 10)."""
    rows = correlate1d(plane, _WINDOW, axis=0)[5:-5]
    return np.asarray(correlate1d(rows, _WINDOW, axis=1)[:, 5:-5])


def _pool(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of 2 x 2. An odd side gets a zero at both ends first and loses the last one again: what
    `avg_pool2d(kernel_size=2, padding=size % 2)` does in `pytorch_msssim`."""
    height, width = plane.shape
    plane = np.pad(plane, ((height % 2, 0), (width % 2, 0)))
    return (plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]) / 4


@dataclass(frozen=True)
class Scores:
    """What one decoded picture got. None: the picture is too small for that metric."""

    psnr: float  # dB
    ms_ssim: float | None  # 0..1
    ssimulacra2: float | None  # at most 100


class Reference:
    """An original to score many decoded pictures against; its share of the metrics is computed once."""

    def __init__(self, original: Pixels) -> None:
        """`original`: uint8 (H, W, 3)."""
        self.original = original
        self._ms_ssim = MsSsim(original)
        self._ssimulacra2 = Ssimulacra2(original)

    def score(self, distorted: Pixels) -> Scores:
        """Raises ValueError if the sizes differ."""
        return Scores(psnr(self.original, distorted), self._ms_ssim(distorted), self._ssimulacra2(distorted))


def ms_ssim(original: Pixels, distorted: Pixels) -> float | None:
    """See MsSsim."""
    return MsSsim(original)(distorted)


def ssimulacra2(original: Pixels, distorted: Pixels) -> float | None:
    """See Ssimulacra2."""
    return Ssimulacra2(original)(distorted)
