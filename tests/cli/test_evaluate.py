"""`imgcodec eval`, of models of any profile."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_semantic import pictures, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "pictures", pictures(6))


def text(done) -> tuple[int, str, str]:
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_eval_of_one_photo_picture_prints_a_table_and_says_what_is_left_out(run, folder, tiny, monkeypatch):
    monkeypatch.setattr("imgcodec.evaluation.similarity.find_spec", lambda name: None)
    done, out, err = text(run("eval", folder / "00.png", "--model", tiny, "--metrics", "psnr,ssim,lpips", "-q", "30"))
    assert done == 0
    assert [line.split()[0] for line in out.splitlines()] == ["picture", "00.png", "mean"]
    assert max(map(len, out.splitlines())) <= 80
    assert "ssim is left out: SSIM needs scikit-image" in err
    assert "lpips is left out: LPIPS needs the package lpips" in err


def test_eval_skips_what_is_no_picture_and_compares_with_what_was_coded(run, folder, tiny):
    (folder / "x.txt").write_text("text")
    done, out, err = text(run("eval", folder, "--model", tiny, "--json", "report.json", "--metrics", "psnr"))
    assert done == 0
    assert "Skipped x.txt" in err
    report = json.loads(Path("report.json").read_text())
    assert len(report["pictures"]) == 6
    assert report["mean"]["psnr"] == pytest.approx(np.mean([p["figures"]["psnr"] for p in report["pictures"]]))
    assert not report["retrieval"]
    assert "mean" in out
    assert run("eval", folder, "--model", tiny, "--json", "report.json").returncode == 1
