"""Targets: the search by itself, and real files of the small model."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgcodec import CodecError, UsageError
from imgcodec.metrics import reference as metrics
from imgcodec.pictures.io import Picture
from imgcodec.rate_control import SYNTHESES, Kind, OutOfReachError, Target, compress_to, search


@example(bend=0.30078125, low=20.0, span=7.0, where=0.03125, guess=0.5)
@given(
    bend=st.floats(0.3, 3),
    low=st.floats(20, 30),
    span=st.floats(5, 20),
    where=st.floats(0, 1),
    guess=st.floats(0.05, 0.5),
)
def test_search_hits_any_curve_that_rises(bend, low, span, where, guess):
    """Curves as bent as none of ours is, within the syntheses that a fidelity may take."""

    def measure(quality: float) -> float:
        measured.append(quality)
        return low + span * (quality / 100) ** bend

    measured: list[float] = []
    target = low + where * span
    quality, value = search(measure, (target - 0.1, target + 0.1), guess, tries=30, from_below=False)
    if 0.7 < bend < 1.4 and 0.1 < where < 0.9 and 0.5 < guess / (span / 100) < 2:
        assert len(measured) <= SYNTHESES
    if abs(value - target) > 0.1:  # a curve so steep that no quality hits it: then none is nearer
        beside = [q for q in (quality - 1 / 256, quality + 1 / 256) if 0 <= q <= 100]
        assert all(abs(measure(q) - target) >= abs(value - target) for q in beside)


def test_search_stays_below_where_it_cannot_hit():
    quality, value = search(lambda q: float(q > 31.3), (0.5, 0.6), 0.01, tries=30, from_below=True)
    assert (value, 31.29 < quality <= 31.3) == (0.0, True)


@pytest.mark.parametrize(("window", "nearest"), [((2.0, 3.0), 1.0), ((-2.0, -1.0), 0.0)])
def test_search_says_what_is_nearest_to_a_target_out_of_reach(window, nearest):
    with pytest.raises(OutOfReachError) as caught:
        search(lambda q: q / 100, window, 0.01, tries=30, from_below=False)
    assert caught.value.nearest == nearest


def test_nearest_is_the_nearest_that_was_seen():
    with pytest.raises(OutOfReachError) as caught:
        search(lambda q: min(q, 100 - q), (70.0, 72.0), 1.0, tries=30, from_below=False)
    assert caught.value.nearest == 50


@pytest.fixture(scope="module")
def photograph():
    y, x = np.mgrid[:120, :200]
    waves = 127 + 60 * np.sin(x / 9 + y / 23) + 40 * np.sin(y / 5)
    noise = np.random.default_rng(0).normal(0, 12, (120, 200, 3))
    return Picture(np.clip(waves[:, :, None] + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def ends(tiny_model, photograph):
    """What qualities 0 and 100 give: bytes, PSNR, SSIMULACRA2."""
    found = []
    for quality in (0, 100):
        data = tiny_model.compress_picture(photograph, quality)
        decoded = tiny_model.decompress_picture(data).pixels
        scores = metrics.psnr(photograph.pixels, decoded), metrics.ssimulacra2(photograph.pixels, decoded)
        found.append((len(data), *scores))
    return found


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("where", [0.2, 0.7])
def test_targets_are_met(tiny_model, photograph, ends, kind, where):
    low, high = (end[list(Kind).index(kind)] for end in ends)
    target = Target(kind, low + where * (high - low))
    found = compress_to(tiny_model, photograph, target)
    decoded = tiny_model.decompress_picture(found.data).pixels
    if kind == Kind.SIZE:
        assert 0.98 * target.value - 1 <= len(found.data) <= target.value
    elif kind == Kind.PSNR:
        assert metrics.psnr(photograph.pixels, decoded) == pytest.approx(target.value, abs=0.1)
    else:
        assert metrics.ssimulacra2(photograph.pixels, decoded) == pytest.approx(target.value, abs=1)
    assert tiny_model.compress_picture(photograph, found.quality) == found.data


@pytest.mark.parametrize("target", [Target(Kind.SIZE, 10), Target(Kind.SIZE, 1e9), Target(Kind.PSNR, 90)])
def test_target_out_of_reach_is_refused(tiny_model, photograph, target):
    with pytest.raises(CodecError, match="out of reach for this picture: the nearest is"):
        compress_to(tiny_model, photograph, target)


@pytest.mark.parametrize(("kind", "value"), [(Kind.SIZE, 0.5), (Kind.PSNR, float("nan")), (Kind.PSNR, float("inf"))])
def test_what_is_no_target_is_refused(kind, value):
    with pytest.raises(UsageError):
        Target(kind, value)


def test_picture_too_small_for_the_metric(tiny_model):
    with pytest.raises(UsageError, match="too small"):
        compress_to(tiny_model, Picture(np.zeros((4, 4, 3), np.uint8)), Target(Kind.SSIMULACRA2, 50))
