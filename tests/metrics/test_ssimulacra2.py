"""SSIMULACRA 2.1 against libjxl: LIBJXL was printed by its real `ssimulacra2` program for the same pixels, as published
in the reference data of github.com/imazen/ssimulacra2."""

import pytest
from evaluation.pictures import gray, horizontal_ramp, noise, posterized, waves

from imgcodec.metrics.ssimulacra2 import Ssimulacra2

LIBJXL = {"ramp": -64.56872148, "noise": -47.33572558}


@pytest.mark.parametrize(
    ("original", "expected"),
    [(horizontal_ramp(64, 64), LIBJXL["ramp"]), (noise(64, 64, seed=42), LIBJXL["noise"])],
    ids=LIBJXL.keys(),
)
def test_ssimulacra2_equals_libjxl(original, expected):
    assert Ssimulacra2(original)(gray(64, 64)) == pytest.approx(expected, abs=0.005)


def test_coarser_pictures_have_lower_scores():
    original = waves(96, 130)
    metric = Ssimulacra2(original)
    scores = [metric(picture) for picture in (original, *(posterized(original, step) for step in (4, 12, 36)))]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(100, abs=0.01)
    assert scores[0] - scores[1] > 1


def test_a_picture_of_seven_rows_has_no_score():
    assert Ssimulacra2(waves(7, 300))(waves(7, 300)) is None
    assert Ssimulacra2(waves(8, 300))(waves(8, 300)) is not None


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="different sizes"):
        Ssimulacra2(waves(170, 180))(waves(180, 170))
