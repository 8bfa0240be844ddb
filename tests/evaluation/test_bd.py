"""Bjøntegaard rates: identities, a textbook pair, and what happens where there is nothing to compare."""

import math

import pytest

from imgcodec.evaluation.bd import bd_rate, quality_at, rate_at

CURVE = [(0.1, 28.0), (0.2, 31.0), (0.4, 34.0), (0.8, 37.0)]


def at_rate(curve, factor):
    return [(rate * factor, quality) for rate, quality in curve]


def test_a_curve_against_itself_is_zero():
    assert bd_rate(CURVE, CURVE).percent == pytest.approx(0, abs=1e-12)
    assert bd_rate(CURVE, CURVE).overlap == 1


@pytest.mark.parametrize(("factor", "percent"), [(0.7, -30), (1 / 0.7, 42.857142857), (2, 100), (0.5, -50)])
def test_the_same_quality_at_a_multiple_of_the_rate(factor, percent):
    assert bd_rate(CURVE, at_rate(CURVE, factor), rates=None).percent == pytest.approx(percent, abs=1e-9)


def test_a_textbook_pair():
    # Two four-point curves from the Bjøntegaard literature; the package `bjontegaard` (method="pchip") gives the same.
    anchor = [(686.76, 40.28), (309.58, 37.18), (157.11, 34.24), (85.95, 31.42)]
    test = [(893.34, 40.39), (407.8, 37.21), (204.93, 34.17), (112.75, 31.24)]
    result = bd_rate(anchor, test, rates=None)
    assert result.percent == pytest.approx(31.3799, abs=1e-4)
    assert result.interval == (31.42, 40.28)


def test_the_order_of_points_does_not_matter():
    test = at_rate(CURVE, 0.8)
    assert bd_rate(CURVE[::-1], test[::-1]) == bd_rate(CURVE, test)


def test_points_that_bring_no_quality_are_left_out():
    useless = [(0.2, 30.0), (0.3, 31.0), (0.9, 36.0), (0.5, math.nan)]
    assert bd_rate(CURVE, [*CURVE, *useless]) == bd_rate(CURVE, CURVE)


def test_only_the_range_of_rates_counts():
    inside = [(0.1, 28.0), (0.4, 33.0), (1.0, 38.0)]
    beyond = [*inside, (2.0, 39.0), (4.0, 39.5)]
    low, high = 28.0, 38.0
    result = bd_rate(beyond, beyond, rates=(0.1, 1.0))
    assert result.interval == (pytest.approx(low), pytest.approx(high))
    assert bd_rate(beyond, beyond, rates=None).interval == (28.0, 39.5)


def test_a_range_is_cut_to_what_both_curves_reach_inside_it():
    better = [(rate, quality + 4) for rate, quality in CURVE]
    result = bd_rate(CURVE, better)
    assert result.interval == (32.0, 37.0)
    assert result.overlap == pytest.approx(5 / 9)
    assert result.remark == ""


def test_little_overlap_is_said():
    far_better = [(rate, quality + 8) for rate, quality in CURVE]
    result = bd_rate(CURVE, far_better)
    assert result.percent is not None
    assert result.percent < -80
    assert result.remark == "little overlap, 11%"


def test_no_overlap_is_said():
    result = bd_rate(CURVE, [(rate, quality + 10) for rate, quality in CURVE])
    assert result.percent is None
    assert result.remark == "no overlap"
    # Both curves reach the same qualities, but the test's only above 1 bpp.
    assert bd_rate(CURVE, at_rate(CURVE, 100)).remark == "no overlap"


def test_too_few_points():
    assert bd_rate(CURVE, CURVE[:1]).remark == "too few points"
    nothing = bd_rate(CURVE, [])
    assert nothing.percent is None
    assert nothing.remark == ""  # nothing was measured, so there is nothing to remark on


def test_quality_at_a_rate():
    assert quality_at(CURVE, 0.4) == pytest.approx(34.0)
    assert quality_at(CURVE, 0.4 * math.sqrt(2)) == pytest.approx(35.5, abs=0.1)
    assert quality_at(CURVE, 0.09) is None
    assert quality_at(CURVE, 0.9) is None
    assert quality_at(CURVE[:1], 0.1) is None


def test_the_rate_at_a_quality_undoes_the_quality_at_a_rate():
    assert rate_at(CURVE, 34.0) == pytest.approx(0.4)
    for rate in (0.1, 0.15, 0.3, 0.8):
        assert rate_at(CURVE, quality_at(CURVE, rate)) == pytest.approx(rate, rel=0.02)
    assert rate_at(CURVE, 27.9) is None
    assert rate_at(CURVE, 37.1) is None
    assert rate_at(CURVE[:1], 28.0) is None
