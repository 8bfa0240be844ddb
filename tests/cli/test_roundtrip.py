"""compress, decompress and info together, on real files."""

import json

import numpy as np
from made_pictures import save_everything
from PIL import Image


def test_outputs_appear_beside_their_inputs(run, tiny, photo, tmp_path) -> None:
    made = run("compress", photo, "--model", tiny)
    data = (tmp_path / "photo.nic").read_bytes()
    assert (made.returncode, made.stdout) == (0, b"")
    assert made.stderr.decode() == f"{tmp_path}/photo.nic: 70 x 50, {len(data)} bytes, {8 * len(data) / 3500:.3f} bpp\n"
    back = run("decompress", "photo.nic", "--model", tiny)
    assert (back.returncode, back.stdout, back.stderr) == (0, b"", b"")
    with Image.open(tmp_path / "photo.nic.png") as picture:
        assert (picture.size, picture.mode) == ((70, 50), "RGB")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpeg", "photo.nic", "photo.nic.png"]


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


def test_what_is_lost_is_said_on_stderr(run, tiny, tmp_path) -> None:
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(tmp_path / "deep.png")
    made = run("compress", "deep.png", "--no-exact", "--model", tiny)
    assert made.returncode == 0
    assert made.stderr.splitlines()[0] == b"deep.png: its 16 bits per sample are reduced to 8."
    back = run("decompress", "deep.nic", "-o", "back.jpg", "--model", tiny)
    assert back.returncode == 0
    with Image.open(tmp_path / "back.jpg") as picture:
        assert (picture.format, picture.mode) == ("JPEG", "L")


def test_all_that_a_picture_carries_comes_back_and_has_a_price(run, tiny, tmp_path) -> None:
    save_everything(tmp_path / "all.png")
    made = run("compress", "all.png", "--no-exact", "--model", tiny)
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
