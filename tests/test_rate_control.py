"""Targets: the search by itself, and real files of the small model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgcodec import CodecError, UsageError
from imgcodec.bitstream import container
from imgcodec.codec import decode_picture
from imgcodec.encoder import encode_picture
from imgcodec.metrics import reference
from imgcodec.metrics.ssimulacra2 import Ssimulacra2
from imgcodec.one_file import encode_exact
from imgcodec.pictures.picture import Picture
from imgcodec.rate_control import SYNTHESES, OutOfReachError, RateTarget, search, target_of


@example(bend=0.75, low=20.0, span=12.0, where=0.375, guess=0.1875)
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
    quality, value = search(measure, (target, target + 0.1), guess, tries=30, side="above")
    if 0.7 < bend < 1.4 and 0.1 < where < 0.9 and 0.6 < guess / (span / 100) < 1.5:
        assert len(measured) <= SYNTHESES
    assert value >= target
    if value > target + 0.1:  # a curve so steep that no quality hits it: then the next one falls short
        assert quality == 0 or measure(quality - 1 / 256) < target


def test_search_begins_where_it_is_told():
    tried = []
    search(lambda q: tried.append(q) or q, (30.0, 31.0), 1.0, tries=30, side="above", first=28.5)
    assert tried[0] == 28.5


def test_search_stays_below_where_it_cannot_hit():
    quality, value = search(lambda q: float(q > 31.3), (0.5, 0.6), 0.01, tries=30, side="below")
    assert (value, 31.29 < quality <= 31.3) == (0.0, True)


@pytest.mark.parametrize(("window", "nearest"), [((2.0, 3.0), 1.0), ((-2.0, -1.0), 0.0)])
def test_search_says_what_is_nearest_to_a_target_out_of_reach(window, nearest):
    with pytest.raises(OutOfReachError) as caught:
        search(lambda q: q / 100, window, 0.01, tries=30, side="above")
    assert caught.value.nearest == nearest


@pytest.mark.parametrize("tries", [3, 30])
def test_search_stays_above_where_it_cannot_hit(tries):
    quality, value = search(lambda q: float(q > 31.3), (0.5, 0.6), 0.01, tries, side="above")
    assert value == 1.0
    assert tries == 3 or 31.3 < quality <= 31.31


def test_nearest_is_the_nearest_that_was_seen():
    with pytest.raises(OutOfReachError) as caught:
        search(lambda q: min(q, 100 - q), (70.0, 72.0), 1.0, tries=30, side="above")
    assert caught.value.nearest == 50


@pytest.fixture(scope="module")
def photograph():
    y, x = np.mgrid[:120, :200]
    waves = 127 + 60 * np.sin(x / 9 + y / 23) + 40 * np.sin(y / 5)
    noise = np.random.default_rng(0).normal(0, 12, (120, 200, 3))
    return Picture(np.clip(waves[:, :, None] + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def ends(tiny_codec, photograph):
    """What qualities 0 and 100 give: bytes, bits per pixel, PSNR, SSIMULACRA2."""
    found = []
    for quality in (0, 100):
        data = encode_picture(tiny_codec, photograph, quality).data
        decoded = decode_picture(tiny_codec, container.read(data)).pixels
        scores = reference.psnr(photograph.pixels, decoded), Ssimulacra2(photograph.pixels)(decoded)
        found.append((len(data), 8 * len(data) / decoded[..., 0].size, *scores))
    return found


METRICS = ["size", "bpp", "psnr", "ssimulacra2"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("where", [0.2, 0.7])
def test_targets_are_met(tiny_codec, photograph, ends, metric, where):
    low, high = (end[METRICS.index(metric)] for end in ends)
    target = RateTarget(metric, low + where * (high - low))
    found = encode_picture(tiny_codec, photograph, target=target)
    decoded = decode_picture(tiny_codec, container.read(found.data)).pixels
    if metric in ("size", "bpp"):
        most = target.value if metric == "size" else target.value * decoded[..., 0].size / 8
        assert 0.98 * most - 1 <= len(found.data) <= most
        assert found.reached == len(found.data)
    elif metric == "psnr":
        assert found.reached == reference.psnr(photograph.pixels, decoded)
        assert target.value <= found.reached <= target.value + 0.1
    else:
        assert found.reached == Ssimulacra2(photograph.pixels)(decoded)
        assert target.value <= found.reached <= target.value + 1
    assert encode_picture(tiny_codec, photograph, found.quality).data == found.data
    assert found.header == container.read(found.data).header


@pytest.mark.parametrize("target", [RateTarget("size", 10), RateTarget("size", 1e9), RateTarget("psnr", 90)])
def test_target_out_of_reach_is_refused(tiny_codec, photograph, target):
    with pytest.raises(CodecError, match=r"out of reach for this picture: the nearest is .*\.$"):
        encode_picture(tiny_codec, photograph, target=target, exact=False)


@pytest.mark.parametrize("target", [RateTarget("size", 1e9), RateTarget("bpp", 99), RateTarget("psnr", 90)])
def test_what_no_quality_reaches_is_reached_without_a_loss(tiny_codec, photograph, target):
    assert encode_picture(tiny_codec, photograph, target=target).is_exact


def test_a_gray_picture_is_measured_as_it_is_shown(tiny_codec, photograph):
    gray = replace(photograph, pixels=photograph.pixels[..., 1:2].repeat(3, 2), gray=True)
    found = encode_picture(tiny_codec, gray, target=RateTarget("psnr", 25.1), exact=False)
    back = decode_picture(tiny_codec, container.read(found.data)).pixels
    assert found.reached == pytest.approx(reference.psnr(gray.pixels, back))
    assert 25.1 <= found.reached <= 25.2


def test_between_the_best_tokens_and_no_loss_the_best_tokens_are_taken(tiny_codec, photograph):
    best, whole = (encode_picture(tiny_codec, photograph, 100, exact=False).data, encode_exact(photograph).data)
    for size in (round(1.1 * len(best)), len(whole) - 1):
        found = encode_picture(tiny_codec, photograph, target=RateTarget("size", size))
        assert (found.data, found.reached) == (best, len(best))


@pytest.mark.parametrize("target", [RateTarget("size", 10), RateTarget("psnr", 1)])
def test_what_no_file_is_is_refused(tiny_codec, photograph, target):
    with pytest.raises(CodecError, match=r"out of reach for this picture: the nearest is .*\.$"):
        encode_picture(tiny_codec, photograph, target=target)


def test_a_target_out_of_reach_is_told_in_its_own_unit(tiny_codec, photograph):
    with pytest.raises(
        CodecError, match=r"^0\.001 bits per pixel is out of .* the nearest is 0\.\d+ bits per pixel\.$"
    ):
        encode_picture(tiny_codec, photograph, target=RateTarget("bpp", 0.001))


@pytest.mark.parametrize(
    ("metric", "value"),
    [("size", 0.5), ("bpp", 0), ("bpp", -1), *((metric, value) for metric in METRICS for value in (np.nan, np.inf))],
)
def test_what_is_no_target_is_refused(metric, value):
    with pytest.raises(UsageError, match=r"^[A-Z].*\.$"):
        target_of(None, **{**dict.fromkeys(METRICS), metric: value})


def test_one_target_and_no_quality_beside_it():
    assert target_of(50, None, None, None, None) is None
    assert target_of(None, None, 0.5, None, None) == RateTarget("bpp", 0.5)
    for several in ((50, 9, None, None, None), (None, 9, 1, None, None), (None, None, None, 30, 50)):
        with pytest.raises(UsageError, match="not several"):
            target_of(*several)


def test_picture_too_small_for_the_metric(tiny_codec):
    picture, target = Picture(np.zeros((4, 4, 3), np.uint8)), RateTarget("ssimulacra2", 50)
    with pytest.raises(UsageError, match="too small"):
        encode_picture(tiny_codec, picture, target=target, exact=False)
    assert encode_picture(tiny_codec, picture, target=target).is_exact  # and there is nothing to measure
