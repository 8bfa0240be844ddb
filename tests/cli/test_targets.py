"""Targets instead of a quality: sizes in all units, files that meet them, and what is none."""

import pytest

from imgcodec import UsageError
from imgcodec.cli.targets import parse_size


def test_target_instead_of_quality(run, tiny, photo, tmp_path) -> None:
    made = run("compress", photo, "--target-bpp", "0.3", "--model", tiny, "-o", "bpp.nic")
    assert made.returncode == 0, made.stderr
    size = (tmp_path / "bpp.nic").stat().st_size
    assert 0.98 * 0.3 * 3500 / 8 - 1 <= size <= 0.3 * 3500 / 8
    assert f"{size} bytes" in made.stderr.decode()
    assert run("compress", photo, "--target-size", "0.15KiB", "--model", tiny, "-o", "size.nic").returncode == 0
    assert 150 <= (tmp_path / "size.nic").stat().st_size <= 153
    refused = run("compress", photo, "--target-psnr", "99", "--no-exact", "--model", tiny)
    assert refused.returncode == 1
    assert f"{photo}: 99.00 dB is out of reach for this picture: the nearest is ".encode() in refused.stderr
    assert not (tmp_path / "photo.nic").exists()
    exact = run("compress", photo, "--target-psnr", "99", "--model", tiny)
    assert exact.returncode == 0
    assert b", lossless" in exact.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--target-size", "40 parsecs"],
        ["--target-size", "0"],
        ["--target-bpp", "nan"],
        ["--target-psnr", "inf"],
        ["--target-ssimulacra2", "101"],
        ["--target-size", "40KB", "--target-psnr", "34"],
        ["--target-bpp", "1", "-q", "50"],
    ],
)
def test_targets_that_make_no_sense_are_usage_errors(run, photo, tmp_path, options) -> None:
    refused = run("compress", photo, *options)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "photo.nic").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [("40000", 40000), ("40 kb", 40000), ("40KiB", 40960), ("1.5MB", 1.5e6), ("2mib", 2**21), ("1GB", 1e9), ("7B", 7),
     ("0.5GiB", 2**29), (" 9 ", 9)],
)  # fmt: skip
def test_sizes_have_units(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "KB", "-1", "1e3", "40 parsecs", "1,5MB", "4 0"])
def test_what_is_no_size_is_refused_by_the_name_of_the_option(text):
    with pytest.raises(
        UsageError, match=r"^--shard-size takes a number of bytes like 40000, 40KB or 40KiB, not '.*'\.$"
    ):
        parse_size(text, "--shard-size")
