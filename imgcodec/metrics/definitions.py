"""The numbers that define MS-SSIM and SSIMULACRA 2.1, for the implementations in NumPy and in torch.

MS-SSIM is that of Wang, Simoncelli and Bovik 2003 as in the package `pytorch_msssim`; SSIMULACRA 2.1 is that of libjxl
(`tools/ssimulacra2.cc`, Jon Sneyers, April 2023). Sizes are in pixels; C1 and C2 are for pixels in 0..1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # one for each scale, the full size first
MS_SSIM_RADIUS = 5  # of the window
MS_SSIM_SIGMA = 1.5
MS_SSIM_K1, MS_SSIM_K2 = 0.01, 0.03  # times the largest value and squared: C1 of luminance, C2 of contrast
MS_SSIM_MIN_SIDE = 161  # at the fifth scale the window must still fit

SSIMULACRA2_SCALES = 6
SSIMULACRA2_MIN_SIDE = 8  # libjxl stops before it halves a smaller picture, and has no score for a smaller original
SSIMULACRA2_SIGMA = 1.5
SSIMULACRA2_C2 = 0.0009

SRGB_LINEAR_END, SRGB_SLOPE = 0.04045, 12.92  # sRGB below it is linear: value / slope
SRGB_OFFSET, SRGB_POWER = 0.055, 2.4  # above: ((value + offset) / (1 + offset)) ** power

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

# SSIMULACRA2: one weight for each (channel, scale, norm, map), in the order in which libjxl uses them up. With fewer
# than six scales it uses the first ones without a gap, so the list is kept flat.
# fmt: off
SSIMULACRA2_WEIGHTS = np.array([
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


def blur_taps(sigma: float = SSIMULACRA2_SIGMA) -> NDArray[np.float64]:
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


def scaled_xyb(long: Any, medium: Any, short: Any) -> tuple[Any, Any, Any]:
    """Cone-like responses after the cube root, arrays or tensors -> X, Y and B - Y, scaled to about 0..1."""
    x, y = (long - medium) / 2, (long + medium) / 2
    return 14 * x + 0.42, y + 0.01, short - y + 0.55


def ssimulacra2_error(weighted_norms: Any) -> Any:
    """The sum of weighted norms, numbers or tensors -> an error that is 0 for identical pictures; see the score."""
    error = weighted_norms * 0.9562382616834844
    return 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3


def ssimulacra2_score(error: Any) -> Any:
    """A positive `ssimulacra2_error` -> the score, below 100."""
    return 100 - 10 * error**0.6276336467831387
