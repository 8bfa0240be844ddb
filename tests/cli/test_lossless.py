"""`imgcodec compress --lossless` and `--no-exact`, as commands."""

import json

import numpy as np
import pytest
from exact.contents import make
from PIL import Image


@pytest.fixture
def drawing(tmp_path):
    samples = make("checks", (3, 70, 90), 255, 1).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(samples)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_lossless_file_comes_back_and_says_what_it_is(run, drawing, tmp_path):
    made = run("compress", "a.png", "--lossless", "--verify", "--json")
    assert made.returncode == 0
    report = json.loads(made.stdout)
    facts = {name: report[name] for name in ("lossless", "quality", "tune", "model")}
    assert facts == {"lossless": True, "quality": None, "tune": None, "model": "exact"}
    told = run("info", "a.nic").stdout.decode()
    assert ["lossless", "True"] in [line.split() for line in told.splitlines()]
    assert "none, it is lossless" in told
    assert run("verify", "--decode", "a.nic").returncode == 0
    assert run("decompress", "a.nic", "-o", "b.png").returncode == 0
    with Image.open(tmp_path / "b.png") as back, Image.open(drawing) as original:
        np.testing.assert_array_equal(np.asarray(back), np.asarray(original))


@pytest.mark.parametrize(
    "others", [("-q", "50"), ("--target-size", "9KB"), ("--tune", "psnr"), ("-e", "3"), ("--model", "x.safetensors")]
)
def test_lossless_takes_no_other_way(run, drawing, others):
    refused = run("compress", drawing.name, "--lossless", *others)
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1
    assert refused.stdout == b""
    assert b"model exact" not in refused.stderr


def test_what_is_far_from_the_original_is_said(run, tiny, drawing, tmp_path):
    made = run("compress", "a.png", "--no-exact", "-q", "50", "--model", tiny)
    assert made.returncode == 0
    assert made.stderr.splitlines()[0] == b"a.png: at this quality 100% of its area is far from the original."
    exact = run("compress", "a.png", "-o", "b.nic", "-q", "50", "--model", tiny)
    assert b"far from" not in exact.stderr
    assert exact.stderr.endswith(b"lossless\n")
