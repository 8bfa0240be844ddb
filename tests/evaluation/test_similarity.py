"""Metrics by their names, and extras that are missing."""

from importlib.util import find_spec

import pytest
from small_semantic import pictures

from imgcodec import UsageError
from imgcodec.evaluation import similarity
from imgcodec.evaluation.similarity import UNITS, metrics
from imgcodec.metrics.reference import Reference


def test_figures_are_those_of_the_reference():
    original, other = pictures(2)
    found, missing = metrics(["psnr", "ms-ssim", "ssimulacra2"])
    assert not missing
    scores = Reference(original).score(other)
    figures = {name: metric(original, other) for name, metric in found.items()}
    assert figures == {"psnr": scores.psnr, "ms-ssim": scores.ms_ssim, "ssimulacra2": scores.ssimulacra2}
    assert found["psnr"](original, original) > figures["psnr"]


def test_metrics_of_extras_are_left_out_with_a_word(monkeypatch):
    monkeypatch.setattr(similarity, "find_spec", lambda name: None)
    monkeypatch.setattr("imgcodec.tokenizers.clip.find_spec", lambda name: None)
    found, missing = metrics(list(UNITS))
    assert found.keys() == {"psnr", "ms-ssim", "ssimulacra2"}
    assert missing.keys() == {"ssim", "lpips", "clip"}
    assert all("imgcodec[" in why for why in missing.values())


def test_unknown_metrics_are_refused():
    with pytest.raises(UsageError, match="no metric 'beauty'"):
        metrics(["psnr", "beauty"])


@pytest.mark.skipif(find_spec("skimage") is None, reason="the extra eval is not installed")
def test_ssim_is_scikit_images():
    original, other = pictures(2)
    found, _ = metrics(["ssim"])
    assert found["ssim"](original, original) == pytest.approx(1)
    assert found["ssim"](original, other) < 0.9
    assert found["ssim"](original[:5], other[:5]) is None


def test_weights_that_cannot_be_had_leave_lpips_out(monkeypatch):
    class Broken:
        @staticmethod
        def LPIPS(**_):
            raise OSError("no network")

    monkeypatch.setattr(similarity, "find_spec", lambda name: True)
    monkeypatch.setattr(similarity, "import_module", lambda name: Broken)
    _, missing = metrics(["lpips"])
    assert "could not get" in missing["lpips"]
