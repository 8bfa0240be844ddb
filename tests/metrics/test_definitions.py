"""The numbers of the metrics: what is known of them without a picture."""

import numpy as np
import pytest

from imgcodec.metrics import definitions
from imgcodec.metrics.definitions import blur_taps, scaled_xyb, ssimulacra2_error, ssimulacra2_score


def test_blur_taps_have_unit_sum_and_the_variance_asked_for():
    taps = blur_taps(1.5)
    assert len(taps) == 9
    assert taps.sum() == pytest.approx(1, abs=1e-12)
    assert (taps * np.arange(-4, 5) ** 2).sum() == pytest.approx(1.5**2, abs=1e-12)


def test_the_window_of_ms_ssim_just_fits_at_the_fifth_scale():
    assert (definitions.MS_SSIM_MIN_SIDE - 1) / 2**4 == 2 * definitions.MS_SSIM_RADIUS
    assert len(definitions.MS_SSIM_WEIGHTS) == 5
    assert sum(definitions.MS_SSIM_WEIGHTS) == pytest.approx(1, abs=1e-3)


def test_the_two_parts_of_srgb_meet():
    end = definitions.SRGB_LINEAR_END
    power = ((end + definitions.SRGB_OFFSET) / (1 + definitions.SRGB_OFFSET)) ** definitions.SRGB_POWER
    assert end / definitions.SRGB_SLOPE == pytest.approx(power, abs=1e-7)


def test_grey_has_no_colour():
    assert definitions.OPSIN.sum(1) == pytest.approx(1, abs=1e-6)  # all three responses to gray are the same
    x, y, blue = scaled_xyb(0.5, 0.5, 0.5)
    assert (x, y, blue) == pytest.approx((0.42, 0.51, 0.55))


def test_every_error_has_a_weight_and_none_is_negative():
    weights = definitions.SSIMULACRA2_WEIGHTS
    assert weights.shape == (3 * definitions.SSIMULACRA2_SCALES * 2 * 3,)
    assert (weights >= 0).all()


def test_the_score_falls_with_the_errors():
    assert ssimulacra2_score(ssimulacra2_error(0.0)) == 100
    scores = ssimulacra2_score(ssimulacra2_error(np.linspace(0, 50, 100)))
    assert (np.diff(scores) < 0).all()
    assert scores[-1] < 0
