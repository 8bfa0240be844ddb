"""Metrics with gradients, in torch: PSNR, MS-SSIM and SSIMULACRA 2.1 as `imgcodec.metrics.reference` has them.

Differences: float32, batches, and arguments of roots are kept away from zero, where their gradient is infinite.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from imgcodec.metrics.definitions import (
    MS_SSIM_K1,
    MS_SSIM_K2,
    MS_SSIM_RADIUS,
    MS_SSIM_SIGMA,
    MS_SSIM_WEIGHTS,
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


def visual_loss(pixels: Tensor, decoded: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of the visual tune. Pixels (B, 3, H, W) in 0..1 and their reconstruction -> the loss and its parts.

    When the rate doubles, MS-SSIM (-10 log10(1 - x)) rises by about 3.2 dB, SSIMULACRA 2.1 by 25 points and PSNR by 3.3
    dB, averaged over rates (`imgcodec.profiles.photo.refine` has them by quality). So each is divided by that, and they
    are added. The part of PSNR preserves colours and flat areas.
    """
    decoded = decoded.float()
    with torch.autocast(pixels.device.type, enabled=False):
        similarity, score = structure_and_score(pixels, decoded)
        fidelity = psnr(pixels, decoded)
    loss = -(similarity / 3.2 + score / 25 + 0.2 * fidelity / 3.3).mean()
    return loss, {"loss": loss, "ms_ssim": similarity.mean(), "ssimulacra2": score.mean(), "psnr": fidelity.mean()}


def structure_and_score(pixels: Tensor, decoded: Tensor) -> tuple[Tensor, Tensor]:
    """MS-SSIM in dB and SSIMULACRA 2.1, (B,) each."""
    return ms_ssim_db(pixels, decoded), ssimulacra2(pixels, decoded)


def psnr(pixels: Tensor, decoded: Tensor) -> Tensor:
    """Of pixels (B, 3, H, W) in 0..1: (B,) in dB."""
    return -10 * (decoded - pixels).square().mean((1, 2, 3)).clamp(min=1e-10).log10()


def ms_ssim_db(pixels: Tensor, decoded: Tensor) -> Tensor:
    """-10 log10(1 - MS-SSIM) of pixels (B, 3, H, W) in 0..1, sides of at least 161 pixels: (B,)."""
    return -10 * (1 - ms_ssim(pixels, decoded)).clamp(min=1e-6).log10()


def ms_ssim(original: Tensor, distorted: Tensor) -> Tensor:
    """Multi-scale SSIM (Wang et al. 2003) of pixels (B, 3, H, W) in 0..1, sides of at least 161 pixels: (B,)."""
    c1, c2 = MS_SSIM_K1**2, MS_SSIM_K2**2
    position = torch.arange(-MS_SSIM_RADIUS, MS_SSIM_RADIUS + 1.0, dtype=torch.float32, device=original.device)
    taps = torch.exp(-(position**2) / (2 * MS_SSIM_SIGMA**2))
    taps = taps / taps.sum()
    if original.device.type == "cpu":  # a third faster there
        original, distorted = (x.contiguous(memory_format=torch.channels_last) for x in (original, distorted))
    result = torch.ones_like(original[:, :, 0, 0])
    for scale, weight in enumerate(MS_SSIM_WEIGHTS):
        if scale:
            original, distorted = (_halve_with_zeros(x) for x in (original, distorted))
        planes = torch.cat([original, distorted, original**2, distorted**2, original * distorted], 1)
        mean_o, mean_d, square_o, square_d, product = _filter(planes, taps, 0).chunk(5, 1)
        variance_o, variance_d = square_o - mean_o**2, square_d - mean_d**2
        value = (2 * (product - mean_o * mean_d) + c2) / (variance_o + variance_d + c2)
        if scale == len(MS_SSIM_WEIGHTS) - 1:
            value = value * (2 * mean_o * mean_d + c1) / (mean_o**2 + mean_d**2 + c1)
        result = result * value.mean((2, 3)).clamp(min=1e-4) ** weight
    return result.mean(1)


def ssimulacra2(original: Tensor, distorted: Tensor) -> Tensor:
    """SSIMULACRA 2.1 of sRGB pixels (B, 3, H, W) in 0..1: (B,), 100 at most."""
    taps = _constant(blur_taps, original.device)
    linear_o, linear_d = _to_linear(original), _to_linear(distorted)
    norms = []
    for scale in range(SSIMULACRA2_SCALES):
        if min(linear_o.shape[2:]) < SSIMULACRA2_MIN_SIDE:
            break
        if scale:
            linear_o, linear_d = (
                F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in (linear_o, linear_d)
            )
        norms.append(_norms(_xyb(linear_o), _xyb(linear_d), taps))
    flat = torch.stack(norms, 2).flatten(1)  # channel, scale, norm, map
    weights = _constant(_weights, flat.device)[: flat.shape[1]]
    error: Tensor = ssimulacra2_error(flat @ weights)
    score: Tensor = ssimulacra2_score(error.clamp(min=1e-3))
    return score


def _norms(original: Tensor, distorted: Tensor, taps: Tensor) -> Tensor:
    """Mean and 4-norm of the three error maps of every channel: (B, 3 channels, 2 norms, 3 maps)."""
    planes = torch.cat([original, distorted, original**2, distorted**2, original * distorted], 1)
    mean_o, mean_d, square_o, square_d, product = _filter(planes, taps, len(taps) // 2).chunk(5, 1)
    variance_o, variance_d, covariance = square_o - mean_o**2, square_d - mean_d**2, product - mean_o * mean_d
    structure = (2 * covariance + SSIMULACRA2_C2) / (variance_o + variance_d + SSIMULACRA2_C2)
    luminance = 1 - (mean_o - mean_d) ** 2
    edges = (1 + (distorted - mean_d).abs()) / (1 + (original - mean_o).abs()) - 1
    maps = torch.stack([(1 - luminance * structure).relu(), edges.relu(), (-edges).relu()], 2)
    return torch.stack([maps.mean((3, 4)), ((maps**4).mean((3, 4)) + 1e-20) ** 0.25], 2)


def _filter(x: Tensor, taps: Tensor, padding: int) -> Tensor:
    """A separable filter along the rows and columns of (B, C, H, W), padded with zeros."""
    channels = x.shape[1]
    kernel = taps.expand(channels, 1, 1, -1)
    x = F.conv2d(x, kernel, padding=(0, padding), groups=channels)
    return F.conv2d(x, kernel.transpose(2, 3), padding=(padding, 0), groups=channels)


def _halve_with_zeros(x: Tensor) -> Tensor:
    """As `pytorch_msssim` does it: an odd side gets a row of zeros on both ends, which count in the mean."""
    return F.avg_pool2d(x, 2, padding=(x.shape[2] % 2, x.shape[3] % 2))


def _to_linear(srgb: Tensor) -> Tensor:
    x = srgb.clamp(0, 1)
    power = ((x.clamp(min=0.04) + SRGB_OFFSET) / (1 + SRGB_OFFSET)) ** SRGB_POWER
    return torch.where(x <= SRGB_LINEAR_END, x / SRGB_SLOPE, power)


def _xyb(linear: Tensor) -> Tensor:
    bias = float(OPSIN_BIAS)
    opsin = _constant(_opsin, linear.device)[:, :, None, None]
    long, medium, short = ((F.conv2d(linear, opsin) + bias).clamp(min=1e-6) ** (1 / 3) - bias ** (1 / 3)).unbind(1)
    return torch.stack(scaled_xyb(long, medium, short), 1)


@cache
def _constant(make: Callable[[], NDArray[np.floating]], device: torch.device) -> Tensor:
    """Numbers as float32 on a device, copied there once: to copy waits for a GPU."""
    with torch.inference_mode(False):  # whoever comes later may want gradients
        return torch.from_numpy(make()).to(device, torch.float32)


def _weights() -> NDArray[np.floating]:
    return SSIMULACRA2_WEIGHTS


def _opsin() -> NDArray[np.floating]:
    return OPSIN
