"""`imgcodec eval`, of models of any profile."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_semantic import pictures, save

from imgcodec import info


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


def test_pictures_that_a_store_lacks_are_not_said_to_be_unreadable(run, folder, tiny):
    assert run("compress", folder, "-o", "store", "--model", tiny).returncode == 0
    other = save(Path("other"), pictures(1)) / "00.png"
    other = other.rename(other.with_name("x.png"))
    done, out, err = text(run("eval", other, "--model", tiny, "--store", "store"))
    assert (done, out) == (3, "")
    assert err.splitlines() == [
        "Skipped x.png: The store does not have it.",
        f"imgcodec: {other} holds no picture that store has a whole file of.",
    ]
    done, out, err = text(run("eval", "--model", tiny, "--store", "store"))
    assert (done, out, err.count("\n")) == (2, "", 1)
    assert "needs FOLDER (pictures, in folders too; or one picture)" in err
    assert "--store STORE" in text(run("eval", "--help"))[1]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_files_that_a_store_has_lost_fail_and_the_others_are_measured(run, folder, tiny, jobs):
    assert run("compress", folder, "-o", "store", "--model", tiny).returncode == 0
    Path("store/01.nic").unlink()
    damaged = Path("store/02.nic")
    damaged.write_bytes(damaged.read_bytes()[:-40])
    options = ("--model", tiny, "--store", "store", "--metrics", "psnr", "--json", "report.json", "-j", jobs)
    done, out, err = text(run("eval", folder, *options))
    gone, broken = err.splitlines()
    assert (done, gone) == (1, f"imgcodec: 01.png: There is no file {Path('store/01.nic')}.")
    assert broken.startswith("imgcodec: 02.png: The file of the store is damaged: ")
    assert [line.split()[0] for line in out.splitlines()] == [
        "picture", "00.png", "03.png", "04.png", "05.png", "mean",
    ]  # fmt: skip
    assert len(json.loads(Path("report.json").read_text())["pictures"]) == 4


def test_drawings_of_a_store_need_no_model_to_be_measured(run, folder, tiny):
    rows, columns = np.mgrid[:100, :90]
    checks = Image.fromarray(((rows + columns) % 2 * 255).astype(np.uint8))
    checks.save(folder / "checks.png")
    assert run("compress", folder, "-o", "store", "--model", tiny).returncode == 0
    assert info(Path("store/checks.nic")).lossless
    options = ("--model", tiny, "--store", "store", "--metrics", "psnr", "--json", "report.json")
    done, _, err = text(run("eval", folder, *options))
    assert (done, err) == (0, "")
    measured = json.loads(Path("report.json").read_text())["pictures"]
    assert [p["figures"]["psnr"] for p in measured if p["name"] == "checks.png"] == [100]
    assert len(measured) == 7
