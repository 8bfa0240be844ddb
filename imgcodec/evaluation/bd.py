"""The Bjøntegaard rate difference: how many per cent more bits one curve needs than another, below zero if fewer.

log10 of the rate is interpolated over quality by PCHIP, and the two curves' difference is averaged over the qualities
that BOTH reach inside a range of rates. (Bjøntegaard, VCEG-M33, 2001, fitted one polynomial of the third degree to four
points; a monotone piecewise cubic takes any number of points and does not overshoot between them.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, log10

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Curve = Iterable[tuple[float, float]]  # (rate in bits per pixel, quality in any unit that rises), in any order
Range = tuple[float, float]

USUAL_RATES: Range = (0.1, 1.0)  # bits per pixel
LITTLE_OVERLAP = 0.25  # smaller ones are remarked on


@dataclass(frozen=True)
class BdRate:
    """The difference, and its basis. `percent` and `interval` are None where the curves share no quality."""

    percent: float | None  # -30.0: the tested curve needs 30 % fewer bits than the anchor
    interval: Range | None  # the qualities that were compared, in the metric's unit
    overlap: float  # that interval's share, 0..1, of the shorter of the two curves' own spans inside the range of rates
    remark: str  # to print beside a figure with little or no basis; usually empty


def bd_rate(anchor: Curve, test: Curve, rates: Range | None = USUAL_RATES) -> BdRate:
    """BD-rate of `test` against `anchor`, over the qualities that both reach inside `rates` (None: at any rate).

    A curve ends where its points end: nothing is extrapolated. Points at which quality does not rise with the rate are
    left out, and so are those without a finite quality.
    """
    curves = [_rising(anchor), _rising(test)]
    fewest = min(len(quality) for quality, _ in curves)
    if fewest < 2:
        return BdRate(None, None, 0.0, "too few points" if fewest else "")
    spans = [_span(quality, log_rate, rates) for quality, log_rate in curves]
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    if high <= low:
        return BdRate(None, None, 0.0, "no overlap")
    anchor_mean, test_mean = (
        float(PchipInterpolator(quality, log_rate).integrate(low, high)) / (high - low) for quality, log_rate in curves
    )
    overlap = (high - low) / min(span[1] - span[0] for span in spans)
    remark = f"little overlap, {overlap:.0%}" if overlap < LITTLE_OVERLAP else ""
    return BdRate(100 * (10 ** (test_mean - anchor_mean) - 1), (low, high), overlap, remark)


def _rising(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(quality, log10 rate), both strictly rising."""
    qualities: list[float] = []
    log_rates: list[float] = []
    # The better of two points at one rate comes first, and so the worse one is dropped.
    for rate, quality in sorted(curve, key=lambda point: (point[0], -point[1])):
        if isfinite(quality) and (not qualities or quality > qualities[-1] + 1e-9):
            qualities.append(quality)
            log_rates.append(log10(rate))
    return np.array(qualities), np.array(log_rates)


def _span(quality: NDArray[np.float64], log_rate: NDArray[np.float64], rates: Range | None) -> Range:
    """The lowest and the highest quality of a curve inside a range of rates."""
    if rates is None:
        return float(quality[0]), float(quality[-1])
    wanted = np.clip(np.log10(rates), log_rate[0], log_rate[-1])
    low, high = PchipInterpolator(log_rate, quality)(wanted)
    return float(low), float(high)


def quality_at(curve: Curve, rate: float) -> float | None:
    """The quality of a curve at a rate in bits per pixel, None outside its points. The interpolation is bd_rate's."""
    quality, log_rate = _rising(curve)
    if len(quality) < 2 or not log_rate[0] <= log10(rate) <= log_rate[-1]:
        return None
    return float(PchipInterpolator(log_rate, quality)(log10(rate)))


def rate_at(curve: Curve, quality: float) -> float | None:
    """The rate of a curve at a quality, None outside its points. The interpolation is bd_rate's."""
    known, log_rate = _rising(curve)
    if len(known) < 2 or not known[0] <= quality <= known[-1]:
        return None
    return float(10 ** PchipInterpolator(known, log_rate)(quality))
