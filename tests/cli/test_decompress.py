"""`imgcodec decompress`: damaged and cut files, scales, and how it exits."""

from pathlib import Path

import numpy as np
from in_process import invoke, invoke_silent
from PIL import Image

import imgcodec

GOLDEN = Path(__file__).parents[1] / "golden"


def test_damaged_files_need_permission_and_say_what_is_lost(tiny, two_tiles, tmp_path) -> None:
    out = tmp_path / "out.png"
    for flags in ((), ("--allow-partial",)):
        code, _, message = invoke("decompress", two_tiles, "-o", out, "--model", tiny, *flags)
        assert code == 3
        assert message.count("\n") == 1
        assert not out.exists()
    code, _, message = invoke("decompress", two_tiles, "-o", out, "--model", tiny, "--allow-damaged")
    assert code == 3
    assert message.splitlines() == [
        f"{two_tiles}: it is damaged in 653 bytes from byte 84 on (tokens).",
        f"{two_tiles}: its tile 0 is shown coarsely, for finer tokens are lost.",
    ]
    back, sound = (np.asarray(Image.open(path)) for path in (out, GOLDEN / "two-tiles.png"))
    assert np.abs(back[:, 1056:].astype(int) - sound[:, 1056:]).max() <= 1
    assert (back[:, :1000] != sound[:, :1000]).any()


def test_of_several_files_a_damaged_one_counts_as_failed_alone(tiny, two_tiles, tmp_path) -> None:
    sound = tmp_path / "sound.nic"
    sound.write_bytes((GOLDEN / "two-tiles.nic").read_bytes())
    code, _, message = invoke("decompress", two_tiles, sound, "--model", tiny, "--allow-damaged")
    assert code == 1
    assert "1 file made" in message
    assert "1 failed:" in message
    assert f"{two_tiles}: It is damaged or cut, and only what is left was written." in message
    assert {p.name for p in tmp_path.glob("*.png")} == {"sound.nic.png", f"{two_tiles.name}.png"}


def test_cut_files_need_permission(tiny, two_tiles, tmp_path) -> None:
    cut, out = tmp_path / "cut.nic", tmp_path / "out.png"
    common = ("decompress", cut, "-o", out, "--model", tiny)
    assert invoke(*common)[0] == 3
    assert not out.exists()
    said = (
        f"{cut}: it is cut short: 0 of its 2 tiles are whole.\n"
        f"{cut}: its tiles 0-1 are shown coarsely, for finer tokens are lost.\n"
    )
    assert invoke(*common, "--allow-partial") == (0, "", said)
    assert Image.open(out).size == (1100, 40)
    assert invoke(*common, "-f", "--allow-damaged") == (3, "", said)
    assert invoke(*common, "-f", "--allow-damaged", "--allow-partial") == (0, "", said)
    cut.write_bytes(cut.read_bytes()[:40])
    code, _, message = invoke(*common, "-f", "--allow-partial")
    assert code == 3
    assert "nothing of the picture is left" in message


def test_sound_files_do_not_mind(tiny, tmp_path) -> None:
    arguments = ("decompress", GOLDEN / "alpha.nic", "-o", tmp_path / "out.png", "--model", tiny)
    assert invoke(*arguments, "--allow-damaged", "--allow-partial") == (0, "", "")
    assert Image.open(tmp_path / "out.png").mode == "RGBA"


def test_a_damaged_header_is_refused_whatever_is_allowed(tiny, two_tiles) -> None:
    data = bytearray(two_tiles.read_bytes())
    data[12] ^= 1
    two_tiles.write_bytes(data)
    flags = ("--allow-damaged", "--allow-partial", "--model", tiny)
    code, _, message = invoke("decompress", two_tiles, "-o", two_tiles.with_suffix(".png"), *flags)
    assert code == 3
    assert "header" in message
    assert not two_tiles.with_suffix(".png").exists()


def pixels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_scales_are_those_of_the_model(raster_model, tiny, photo, nic, tmp_path) -> None:
    file, out = tmp_path / "photo.nic", tmp_path / "out.png"
    loaded = imgcodec.load_model(raster_model)
    file.write_bytes(loaded.compress(pixels_of(photo)))
    assert invoke_silent("decompress", file, "-o", out, "--model", raster_model, "--scale", 2) == (0, "")
    assert np.array_equal(pixels_of(out), np.asarray(loaded.decompress(file.read_bytes(), scale=2)))
    assert pixels_of(out).shape == (100, 140, 3)
    (tmp_path / "tiny.nic").write_bytes(nic)
    for source, name, scale, extra in (
        (file, raster_model, 4, ()),
        (tmp_path / "tiny.nic", tiny, 2, ()),
        (file, raster_model, 3, ()),
        (file, raster_model, 2, ("--allow-damaged",)),
    ):
        out = tmp_path / "none.png"
        code, told = invoke_silent("decompress", source, "-o", out, "--model", name, "--scale", scale, *extra)
        assert (code, told.count("\n")) == (2, 1), told
        assert not out.exists()
    code, _ = invoke_silent(
        "decompress", file, "-o", out, "--model", raster_model, "--scale", 2, "--max-pixels", 3 * 70 * 50
    )
    assert code == 3
