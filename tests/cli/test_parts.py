"""`imgcodec decompress --region` and `--thumbnail`."""

from pathlib import Path

import numpy as np
import pytest
from in_process import invoke_silent
from PIL import Image

from imgcodec.bitstream.errors import UsageError
from imgcodec.cli.parts import parse_region

GOLDEN = Path(__file__).parents[1] / "golden"
NIC = GOLDEN / "everything.nic"


def test_a_region_is_written(tiny, tmp_path) -> None:
    out = tmp_path / "out.png"
    assert invoke_silent("decompress", NIC, "-o", out, "--model", tiny, "--region", "3,5,20,10") == (0, "")
    with Image.open(out) as found, Image.open(GOLDEN / "everything.png") as whole:
        cut = whole.crop((3, 5, 23, 15))
        assert (found.size, found.mode) == (cut.size, cut.mode)
        assert np.abs(np.asarray(found).astype(int) - np.asarray(cut)).max() <= 1
        assert found.info["icc_profile"] == whole.info["icc_profile"]
        assert found.getexif()
    assert invoke_silent("decompress", NIC, "-o", out, "--model", tiny, "--region", "3,5,20,10")[0] == 1
    words = ("decompress", NIC, "-o", out, "--model", tiny, "--region", "3,5,20,10", "-f", "--strip")
    assert invoke_silent(*words, "--max-pixels", 200) == (0, "")
    assert not Image.open(out).getexif()
    assert invoke_silent(*words, "--max-pixels", 199)[0] == 3


def test_a_thumbnail_is_written(tiny, tmp_path) -> None:
    out = tmp_path / "out.png"
    assert invoke_silent("decompress", GOLDEN / "two-tiles.nic", "-o", out, "--model", tiny, "--thumbnail", 64) == (
        0,
        "",
    )
    assert Image.open(out).size == (64, 2)
    semantic = GOLDEN / "semantic-odd-size.nic"
    words = ("decompress", semantic, "-o", out, "-f", "--model", GOLDEN / "semantic.safetensors", "--thumbnail", 9)
    code, told = invoke_silent(*words)
    assert (code, told) == (0, f"{semantic}: it keeps what the picture shows, not its pixels.\n")
    assert max(Image.open(out).size) == 9


def test_a_region_from_standard_input_to_standard_output(run, tiny) -> None:
    done = run("decompress", "-", "-o", "-", "--model", tiny, "--region", "0,0,4,5", input=NIC.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("odd-size.nic", ["--region", "1,2,3"]),
        ("odd-size.nic", ["--region", "1,2,3,4,5"]),
        ("odd-size.nic", ["--region", ""]),
        ("odd-size.nic", ["--region", "1,2,3,4.5"]),
        ("odd-size.nic", ["--region", "0,0,0,4"]),
        ("odd-size.nic", ["--region", "96,0,5,4"]),
        ("odd-size.nic", ["--region", "0,-1,5,4"]),
        ("odd-size.nic", ["--thumbnail", "0"]),
        ("odd-size.nic", ["--thumbnail", "4", "--region", "0,0,1,1"]),
        ("odd-size.nic", ["--region", "0,0,1,1", "--scale", "2"]),
        ("odd-size.nic", ["--region", "0,0,1,1", "--allow-damaged"]),
        ("odd-size.nic", ["--thumbnail", "4", "--steps", "3"]),
        ("bsq-odd-size.nic", ["--region", "0,0,1,1"]),
        ("semantic-odd-size.nic", ["--region", "0,0,1,1"]),
    ],
)
def test_what_there_is_not_is_refused_in_one_sentence(tmp_path, source, words) -> None:
    out = tmp_path / "out.png"
    code, told = invoke_silent("decompress", GOLDEN / source, "-o", out, *words)  # without its model: that comes later
    assert (code, told.count("\n"), "Traceback" in told) == (2, 1, False), told
    assert not out.exists()


def test_what_is_no_sound_file_is_refused(tmp_path, tiny) -> None:
    out, data = tmp_path / "out.png", NIC.read_bytes()
    (tmp_path / "cut.nic").write_bytes(data[:-1])
    (tmp_path / "short.nic").write_bytes(data[:20])
    (tmp_path / "empty.nic").write_bytes(b"")
    Image.new("RGB", (5, 5)).save(tmp_path / "picture.png")
    for name, code, said in (
        ("cut.nic", 3, "cut.nic: The file is cut short"),
        ("short.nic", 3, "short.nic: The file is cut short"),
        ("empty.nic", 3, "empty.nic: The file is empty"),
        ("picture.png", 3, "is a picture, not a .nic file"),
        ("none.nic", 1, "There is no file"),
        (".", 3, "is a folder"),
    ):
        for words in (("--region", "0,0,1,1"), ("--thumbnail", "3")):
            found, told = invoke_silent("decompress", tmp_path / name, "-o", out, "--model", tiny, *words)
            assert (found, told.count("\n")) == (code, 1), told
            assert said in told
    assert not out.exists()
    assert invoke_silent("decompress", NIC, "-o", out, "--region", "0,0,1,1")[0] == 4


def test_numbers_of_a_region() -> None:
    assert parse_region("1,2, 3,40") == (1, 2, 3, 40)
    with pytest.raises(UsageError, match="four whole numbers"):
        parse_region("1;2;3;4")
