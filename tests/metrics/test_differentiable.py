"""Perceptual losses: the same numbers as the metrics they stand for, and gradients that lead somewhere."""

import numpy as np
import pytest
import torch
from made_pictures import PHOTOGRAPH
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from imgcodec.metrics.differentiable import ms_ssim, ssimulacra2
from imgcodec.metrics.reference import MsSsim
from imgcodec.metrics.ssimulacra2 import Ssimulacra2


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[100 : 100 + height, 50 : 50 + width]


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]


@pytest.mark.parametrize("size", [(256, 256), (203, 171)])
@pytest.mark.parametrize("noise", [2, 25])
def test_they_are_the_metrics(size: tuple[int, int], noise: float) -> None:
    original = photograph(*size)
    shaken = original + np.random.default_rng(1).normal(0, noise, original.shape)
    distorted = shaken.round().clip(0, 255).astype(np.uint8)
    assert float(ms_ssim(tensor(original), tensor(distorted))) == pytest.approx(MsSsim(original)(distorted), abs=2e-4)
    assert float(ssimulacra2(tensor(original), tensor(distorted))) == pytest.approx(
        Ssimulacra2(original)(distorted), abs=0.2
    )


@pytest.mark.parametrize("metric", [ms_ssim, ssimulacra2])
def test_following_the_gradient_makes_a_picture_better(metric) -> None:  # type: ignore[no-untyped-def]
    original = tensor(photograph(192, 192))
    distorted = (original + 0.05 * torch.randn(original.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    before = float(metric(original, distorted))
    for _ in range(10):
        distorted.requires_grad_()
        (gradient,) = torch.autograd.grad(metric(original, distorted).sum(), distorted)
        assert torch.isfinite(gradient).all()
        distorted = (distorted + 2e-3 * gradient.sign()).detach()
    assert float(metric(original, distorted)) > before


@pytest.mark.parametrize("metric", [ms_ssim, ssimulacra2])
def test_a_perfect_picture_has_a_finite_gradient(metric) -> None:  # type: ignore[no-untyped-def]
    original = tensor(photograph(192, 192))
    same = original.clone().requires_grad_()
    metric(original, same).sum().backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()
