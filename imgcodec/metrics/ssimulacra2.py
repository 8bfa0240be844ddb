"""SSIMULACRA 2.1, the perceptual metric of libjxl (`tools/ssimulacra2.cc`, Jon Sneyers, April 2023).

    sRGB ──► linear ──┬─ scale 1:1 ──► XYB ──► blur ──► three error maps ──► two norms of each ──┐
                      ├─ halve                                                                   ├─► weighted sum
                      └─ scale 1:2 ... 1:32, the same                                            ┘

The error maps of a channel at a scale are: 1 - SSIM without its luminance denominator, edges that the distorted picture
has and the original has not (ringing), and edges that it lost (blurring). The constants below are libjxl's. Its blur is
a recursive filter, but one with a finite response of nine taps: here those taps are applied directly.

100 is identical; 90 is hard to tell apart; 70 good; 50 medium; 30 low; very bad pictures fall below zero.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SCALES = 6
SMALLEST_SIDE = 8  # libjxl stops before it halves a picture that is smaller than this, and has no answer for it at all

_SIGMA = 1.5
STRUCTURE_C2 = 0.0009

# Linear sRGB to the three cone-like responses of XYB, and what is added to them before the cube root.
OPSIN = np.array(
    [
        [0.30, 1 - 0.078 - 0.30, 0.078],
        [0.23, 1 - 0.078 - 0.23, 0.078],
        [0.24342268924547819, 0.20476744424496821, 1 - 0.24342268924547819 - 0.20476744424496821],
    ],
    dtype=np.float32,
)
OPSIN_BIAS = np.float32(0.0037930732552754493)

# One weight for each (channel, scale, norm, map), in the order in which libjxl uses them up. With fewer than six scales
# it uses the first ones without a gap, so the list is kept flat.
# fmt: off
WEIGHTS = np.array([
    # X
    0.0, 0.0007376606707406586, 0.0, 0.0, 0.0007793481682867309, 0.0,
    0.0, 0.0004371155730107379, 0.0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
    0.0, 0.0016406437456599754, 0.0, 1.8422455520539298, 11.441172603757666, 0.0,
    0.0007989109436015163, 0.000176816438078653, 0.0, 1.8787594979546387, 10.94906990605142, 0.0,
    0.0007289346991508072, 0.9677937080626833, 0.0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
    0.0004550992113792063, 0.0, 0.0, 0.0013648766163243398, 0.0, 0.0,
    # Y
    0.0, 0.0, 0.0, 7.466890328078848, 0.0, 17.445833984131262,
    0.0006235601634041466, 0.0, 0.0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
    225.20515300849274, 0.0, 0.0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
    176.39317598450694, 0.0, 0.0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
    0.0, 0.0, 0.0, 34.77906344483772, 44.835625328877896, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    # B - Y
    0.0, 0.0008680556573291698, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0005313191874358747, 0.0, 0.00016533814161379112, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0004179171803251336, 0.0017290828234722833, 0.0,
    0.0020827005846636437, 0.0, 0.0, 8.826982764996862, 23.19243343998926, 0.0,
    95.1080498811086, 0.9863978034400682, 0.9834382792465353,
    0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
    0.0, 0.0, 0.0, 0.0005130064588990679, 0.0, 0.00010854057858411537,
])
# fmt: on


def blur_taps(sigma: float = _SIGMA) -> Doubles:
    """The impulse response of libjxl's `CreateRecursiveGaussian`: 2N - 1 taps, nine for a sigma of 1.5.

    The filter (Charalampidis 2016, "Recursive Implementation of the Gaussian Filter Using Truncated Cosine Functions")
    is a sum of three cosines over |n| < N. Their amplitudes are those of a Gaussian, moved the shortest way that makes
    the taps sum to one and have the variance sigma^2.
    """
    radius = round(3.2795 * sigma + 0.2546)
    position = np.arange(1 - radius, radius)
    frequency = np.pi / (2 * radius) * np.array([1, 3, 5])
    cosines = np.cos(frequency[:, None] * position)
    gaussian = np.exp(-0.5 * (sigma * frequency) ** 2) / radius
    moments = np.stack([cosines.sum(1), (cosines * position**2).sum(1)])
    amplitude = gaussian + np.linalg.pinv(moments) @ (np.array([1, sigma**2]) - moments @ gaussian)
    return np.asarray(amplitude @ cosines)


_TAPS = blur_taps()


def _srgb_to_linear_table() -> Floats:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _srgb_to_linear_table()


def _blur(plane: Floats | Doubles) -> Doubles:
    """Outside the picture is zero, as in libjxl: the blur is dark at the border, in both pictures alike."""
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
    x, y = (long - medium) / 2, (long + medium) / 2
    return np.stack([14 * x + np.float32(0.42), y + np.float32(0.01), short - y + np.float32(0.55)])


def _pyramid(pixels: NDArray[np.uint8]) -> list[Floats]:
    """XYB at up to six scales, from uint8 sRGB (H, W, 3)."""
    linear = _LINEAR[np.ascontiguousarray(pixels.transpose(2, 0, 1))]
    scales: list[Floats] = []
    while len(scales) < SCALES and min(linear.shape[1:]) >= SMALLEST_SIDE:
        # The size is looked at before halving, so the last scale may have a side of 4 to 7. So has libjxl's.
        if scales:
            linear = _halve(linear)
        scales.append(_xyb(linear))
    return scales


def _norms(error: Doubles) -> tuple[float, float]:
    """The mean of an error map (no value below zero), and its 4-norm."""
    squared = error * error
    return float(error.mean()), float((squared * squared).mean()) ** 0.25


class _Plane:
    """A channel of the original at one scale, with its local mean and variance.

    A variance is a small difference of large numbers, so the blurs are float64 (in float32 a smooth sky costs 0.02
    points at high quality). The mean must stay so: covariances are taken with it later.
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
        structure = (2 * covariance + STRUCTURE_C2) / (self.variance + variance + STRUCTURE_C2)
        edges = (1 + np.abs(distorted - mean)) / (1 + np.abs(self.plane - self.mean)) - 1
        return np.maximum(1 - luminance * structure, 0), np.maximum(edges, 0), np.maximum(-edges, 0)


class Ssimulacra2:
    """SSIMULACRA 2.1 of distorted pictures against one original, whose share of the work is done once."""

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
    error = float(norms.ravel() @ WEIGHTS[: norms.size]) * 0.9562382616834844
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100 - 10 * error**0.6276336467831387 if error > 0 else 100.0
