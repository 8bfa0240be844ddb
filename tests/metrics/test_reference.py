"""The metrics against independent implementations.

EXPECTED was computed with a separate implementation of the three metrics (OpenCV filters; its MS-SSIM equals
`pytorch_msssim` 1.0.0 to 7e-7).
"""

import numpy as np
import pytest
from evaluation.pictures import posterized, smeared, waves

from imgcodec.metrics.reference import MsSsim, Reference, psnr, to_db
from imgcodec.metrics.ssimulacra2 import Ssimulacra2

# height, width, distortion: PSNR, MS-SSIM, SSIMULACRA2. The second picture is odd at almost every scale.
EXPECTED = {
    (256, 320, "posterized 8"): (40.751383302, 0.994770499, 89.60797),
    (256, 320, "posterized 48"): (12.497794737, 0.554591681, -131.82042),
    (256, 320, "smeared"): (38.840106394, 0.999673756, 73.15665),
    (257, 301, "posterized 8"): (40.746089917, 0.994993062, 89.45247),
    (257, 301, "posterized 48"): (12.458391022, 0.536100131, -134.26059),
    (257, 301, "smeared"): (38.037918446, 0.999686471, 62.30022),
}

DISTORTIONS = {
    "posterized 8": lambda pixels: posterized(pixels, 8),
    "posterized 48": lambda pixels: posterized(pixels, 48),
    "smeared": smeared,
}


@pytest.mark.parametrize(("case", "expected"), EXPECTED.items(), ids=str)
def test_metrics_equal_an_independent_implementation(case, expected):
    height, width, distortion = case
    original = waves(height, width)
    scores = Reference(original).score(DISTORTIONS[distortion](original))
    assert scores.psnr == pytest.approx(expected[0], abs=1e-8)
    assert scores.ms_ssim == pytest.approx(expected[1], abs=1e-6)
    assert scores.ssimulacra2 == pytest.approx(expected[2], abs=0.01)


def test_an_identical_picture_gets_the_highest_scores():
    original = waves(176, 200)
    scores = Reference(original).score(original.copy())
    assert scores.psnr == 100
    assert scores.ms_ssim == pytest.approx(1, abs=1e-6)
    assert to_db(1.0) == 100
    assert scores.ssimulacra2 == pytest.approx(100, abs=0.01)


def test_psnr_of_an_error_of_one_level():
    original = waves(20, 30)
    assert psnr(original, original ^ 1) == pytest.approx(48.1308, abs=1e-4)


def test_ms_ssim_of_the_negative_is_zero():
    original = waves(176, 200)
    assert MsSsim(original)(255 - original) == 0


@pytest.mark.parametrize(("height", "width", "has_ms_ssim", "has_ssimulacra2"), [
    (161, 161, True, True),
    (160, 500, False, True),
    (8, 8, False, True),
    (300, 7, False, False),
    (1, 1, False, False),
])  # fmt: skip
def test_a_metric_that_a_picture_is_too_small_for_is_none(height, width, has_ms_ssim, has_ssimulacra2):
    original = waves(height, width)
    scores = Reference(original).score(posterized(original, 16))
    assert scores.psnr > 20
    assert (scores.ms_ssim is not None) == has_ms_ssim
    assert (scores.ssimulacra2 is not None) == has_ssimulacra2


def test_a_reference_serves_many_pictures():
    original = waves(170, 180)
    reference = Reference(original)
    for distorted in (smeared(original), posterized(original, 20)):
        scores = reference.score(distorted)
        assert scores.ms_ssim == MsSsim(original)(distorted)
        assert scores.ssimulacra2 == Ssimulacra2(original)(distorted)


@pytest.mark.parametrize("metric", [psnr, lambda a, b: MsSsim(a)(b)])
def test_pictures_of_different_sizes_are_refused(metric):
    with pytest.raises(ValueError, match="different sizes"):
        metric(waves(170, 180), waves(180, 170))


def test_ms_ssim_does_not_lose_precision_to_its_smaller_copies():
    flat = np.full((200, 200, 3), 250, dtype=np.uint8)  # large mean, no variance: the worst case for rounding
    flat[::7, ::5] = 251
    assert MsSsim(flat)(flat) == pytest.approx(1, abs=1e-6)
