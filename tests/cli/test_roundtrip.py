"""compress, decompress and info on real files."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

SCRIPT = Path(sys.executable).with_name("imgcodec")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    y, x = np.mgrid[:50, :70]
    path = tmp_path / "photo.jpeg"
    Image.fromarray(np.stack([x * 3, y * 4, x + y], axis=2).astype(np.uint8)).save(path, quality=95)
    return path


def test_outputs_appear_beside_their_inputs(run, tiny, photo, tmp_path) -> None:
    made = run("compress", photo, "--model", tiny)
    data = (tmp_path / "photo.nic").read_bytes()
    assert (made.returncode, made.stdout) == (0, b"")
    assert made.stderr.decode() == f"{tmp_path}/photo.nic: 70 x 50, {len(data)} bytes, {8 * len(data) / 3500:.3f} bpp\n"
    back = run("decompress", "photo.nic", "--model", tiny)
    assert (back.returncode, back.stdout, back.stderr) == (0, b"", b"")
    with Image.open(tmp_path / "photo.png") as picture:
        assert (picture.size, picture.mode) == ((70, 50), "RGB")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpeg", "photo.nic", "photo.png"]


def test_pipes(script, run, tiny, photo, tmp_path) -> None:
    made = script("compress", "-", "-q", "37.5", "--model", tiny, input=photo.read_bytes())
    assert made.returncode == 0
    assert made.stderr.startswith(b"stdout: 70 x 50, ")
    back = script("decompress", "-", "--model", tiny, input=made.stdout)
    assert back.returncode == 0
    assert back.stdout.startswith(b"\x89PNG")
    told = run("info", "-", "--json", "--tokens", "--model", tiny, input=made.stdout)
    report = json.loads(told.stdout)
    assert report["header"]["quality"] == 37.5
    assert len(report["tokens_sha256"]) == 64
    assert list(tmp_path.iterdir()) == [photo]


def test_existing_output_is_replaced_only_by_force(run, tiny, photo, tmp_path, nic) -> None:
    (tmp_path / "photo.nic").write_bytes(nic)
    refused = run("compress", photo)
    assert refused.returncode == 1
    assert b"photo.nic exists already; -f replaces it." in refused.stderr
    assert (tmp_path / "photo.nic").read_bytes() == nic
    assert run("compress", photo, "-f", "--model", tiny).returncode == 0
    assert (tmp_path / "photo.nic").read_bytes() != nic
    (tmp_path / "photo.png").write_bytes(b"mine")
    assert run("decompress", "photo.nic").returncode == 1
    assert (tmp_path / "photo.png").read_bytes() == b"mine"


def test_summary_as_json(run, tiny, photo, tmp_path) -> None:
    made = run("compress", photo, "-o", "out.nic", "--json", "--model", tiny)
    summary = json.loads(made.stdout)
    assert made.stderr == b""
    assert summary["bytes"] == (tmp_path / "out.nic").stat().st_size
    assert (summary["width"], summary["height"], summary["quality"], summary["output"]) == (70, 50, 50, "out.nic")
    assert json.loads(run("info", "out.nic", "--json").stdout)["header"]["codebook_id"] == summary["codebook_id"]


def test_what_is_lost_is_said_on_stderr(run, tiny, tmp_path) -> None:
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(tmp_path / "deep.png")
    made = run("compress", "deep.png", "--model", tiny)
    assert made.returncode == 0
    assert made.stderr.splitlines()[0] == b"deep.png: its 16 bits per sample are reduced to 8."
    back = run("decompress", "deep.nic", "-o", "back.jpg", "--model", tiny)
    assert back.returncode == 0
    with Image.open(tmp_path / "back.jpg") as picture:
        assert (picture.format, picture.mode) == ("JPEG", "L")


def everything(path: Path) -> None:
    """A PNG with transparency, a profile, EXIF, XMP and a density."""
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x010F] = "Maker"
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.merge("RGBA", [Image.linear_gradient("L").resize((40, 30))] * 4)
    picture.save(path, exif=exif, pnginfo=text, icc_profile=profile, dpi=(300, 300))


def test_all_that_a_picture_carries_comes_back_and_has_a_price(run, tiny, tmp_path) -> None:
    everything(tmp_path / "all.png")
    made = run("compress", "all.png", "--model", tiny)
    assert made.stderr.count(b"\n") == 1  # nothing was lost
    sections = json.loads(run("info", "all.nic", "--json").stdout)["sections"]
    cost = {section["type"]: section["bytes"] for section in sections}
    assert {"alpha", "icc", "exif", "xmp", "density"} <= cost.keys()
    assert cost["alpha"] > 8
    back = run("decompress", "all.nic", "-o", "back.tiff", "--model", tiny)
    assert back.stderr == b""
    with Image.open(tmp_path / "back.tiff") as picture, Image.open(tmp_path / "all.png") as original:
        assert np.array_equal(np.asarray(picture.getchannel("A")), np.asarray(original.getchannel("A")))
        assert picture.info["icc_profile"] == original.info["icc_profile"]
        assert picture.info["dpi"] == (300, 300)
        assert picture.getexif()[0x010F] == "Maker"
        assert picture.info["xmp"] == b"<x:xmpmeta/>"


def test_strip_keeps_what_shows(run, tiny, tmp_path) -> None:
    everything(tmp_path / "all.png")
    run("compress", "all.png", "--strip", "--model", tiny)
    sections = json.loads(run("info", "all.nic", "--json").stdout)["sections"]
    assert [section["type"] for section in sections] == ["icc", "tokens", "tokens", "alpha", "end"]


def test_a_result_larger_than_the_input_is_said(run, tiny, tmp_path) -> None:
    Image.new("1", (300, 2)).save(tmp_path / "small.png")
    made = run("compress", "-", "-o", "a.nic", "--model", tiny, input=(tmp_path / "small.png").read_bytes())
    size = (tmp_path / "small.png").stat().st_size
    assert (tmp_path / "a.nic").stat().st_size > size
    assert f"-: the result is larger than the input, which has {size} bytes.\n" in made.stderr.decode()


def test_info_adds_up(run, nic, tmp_path) -> None:
    (tmp_path / "a.nic").write_bytes(nic)
    report = json.loads(run("info", "a.nic", "--json").stdout)
    header, sections = report["header"], report["sections"]
    assert (header["width"], header["height"], header["colour_mode"], header["quality"]) == (100, 75, "rgb", 62.5)
    assert header["bytes"] + sum(section["bytes"] for section in sections) == report["bytes"] == len(nic)
    assert header["share"] + sum(section["share"] for section in sections) == pytest.approx(1)
    assert report["bpp"] == pytest.approx(8 * len(nic) / 7500)
    assert [section["type"] for section in sections] == ["tokens"] * header["stage_count"] + ["end"]
    assert sections[0]["offset"] == header["bytes"]


def test_info_for_people(run, nic, tmp_path) -> None:
    (tmp_path / "a.nic").write_bytes(nic)
    told = run("info", "a.nic")
    lines = told.stdout.decode().splitlines()
    assert (told.returncode, told.stderr) == (0, b"")
    assert lines[0].split() == ["width", "100"]
    assert [line.split()[0] for line in lines[-5:]] == ["header", "tokens", "tokens", "end", "file"]
    assert lines[-1].split()[1:3] == [str(len(nic)), "100.00%"]


def test_a_terminal_sees_progress_and_a_pipe_does_not(tiny, photo, tmp_path) -> None:
    master, slave = pty.openpty()
    command = [SCRIPT, "compress", photo, "--model", tiny]
    with subprocess.Popen(command, stderr=slave, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
    os.close(master)
    assert process.returncode == 0
    assert b"Compressing photo.jpeg" in seen
    assert seen.rstrip().endswith(b"bpp")


def test_target_instead_of_quality(run, tiny, photo, tmp_path) -> None:
    made = run("compress", photo, "--target-bpp", "0.3", "--model", tiny, "-o", "bpp.nic")
    assert made.returncode == 0, made.stderr
    size = (tmp_path / "bpp.nic").stat().st_size
    assert 0.98 * 0.3 * 3500 / 8 - 1 <= size <= 0.3 * 3500 / 8
    assert f"{size} bytes" in made.stderr.decode()
    assert run("compress", photo, "--target-size", "0.15KiB", "--model", tiny, "-o", "size.nic").returncode == 0
    assert 150 <= (tmp_path / "size.nic").stat().st_size <= 153
    refused = run("compress", photo, "--target-psnr", "99", "--model", tiny)
    assert refused.returncode == 1
    assert b"99.00 dB is out of reach for this picture: the nearest is " in refused.stderr
    assert not (tmp_path / "photo.nic").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--target-size", "40 parsecs"],
        ["--target-size", "0"],
        ["--target-bpp", "nan"],
        ["--target-psnr", "inf"],
        ["--target-size", "40KB", "--target-psnr", "34"],
        ["--target-bpp", "1", "-q", "50"],
    ],
)
def test_targets_that_make_no_sense_are_usage_errors(run, photo, tmp_path, options) -> None:
    refused = run("compress", photo, *options)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "photo.nic").exists()
