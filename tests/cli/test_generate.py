"""`imgcodec generate`: samples of raster models, from nothing or from the beginning of a picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import invoke_silent
from PIL import Image

import imgcodec
from imgcodec.cli.generate import contact_sheet

GOLDEN = Path(__file__).parents[1] / "golden"
RASTER_MODELS = [GOLDEN / f"{name}.safetensors" for name in ("snac", "svqvae", "bsq", "pixelcnn")]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def shown(loaded: imgcodec.Model, codes: list[torch.Tensor], shape: tuple[int, int]) -> list[np.ndarray]:
    """The pictures of codes, uint8 (H, W, 3) each."""
    return list((loaded.decode(codes, shape=shape) * 255).round().byte().permute(0, 2, 3, 1).numpy())


def test_pictures_and_a_sheet(raster_model, tmp_path) -> None:
    common = ("generate", raster_model, "-n", 3, "--size", "48x32")
    assert invoke_silent(*common, "-o", tmp_path / "a", "--grid") == (0, f"{tmp_path}/a: 3 pictures of 48 x 32\n")
    names = ["0000.png", "0001.png", "0002.png"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [*names, "grid.png"]
    loaded = imgcodec.load_model(raster_model)
    wanted = shown(loaded, loaded.generate(3, size=(48, 32), temperature=1.0, seed=0), (32, 48))
    for name, picture in zip(names, wanted, strict=True):
        assert np.array_equal(pixels(tmp_path / "a" / name), picture)
    assert np.array_equal(pixels(tmp_path / "a" / "grid.png"), contact_sheet(wanted))
    assert invoke_silent(*common, "-o", tmp_path / "b", "--seed", 1)[0] == 0
    assert not np.array_equal(pixels(tmp_path / "b" / "0000.png"), wanted[0])
    assert invoke_silent(*common, "-o", tmp_path / "c", "--temperature", 0.5, "--top-k", 3)[0] == 0
    likely = shown(loaded, loaded.generate(3, size=(48, 32), temperature=0.5, top_k=3), (32, 48))
    assert np.array_equal(pixels(tmp_path / "c" / "0002.png"), likely[2])


def test_a_prefix(raster_model, photo, tmp_path) -> None:
    loaded = imgcodec.load_model(raster_model)
    for rows, options in ((None, ()), (1, ("--prefix-rows", 1)), (4, ("--prefix-rows", 4))):
        out = tmp_path / f"rows-{rows}"
        common = ("generate", raster_model, "-n", 2, "--size", "70x50", "--prefix", photo, *options)
        assert invoke_silent(*common, "-o", out)[0] == 0
        wanted = shown(loaded, loaded.generate(2, size=(70, 50), prefix=photo, prefix_rows=rows), (50, 70))
        for index, picture in enumerate(wanted):
            assert np.array_equal(pixels(out / f"{index:04d}.png"), picture)
    # all four rows were given: nothing is left to be made up
    whole = np.asarray(loaded.decompress(loaded.compress(photo)))
    assert np.array_equal(pixels(tmp_path / "rows-4" / "0001.png"), whole)


def test_the_sheet_has_all_pictures() -> None:
    pictures = [np.full((5, 7, 3), value, np.uint8) for value in range(7)]
    sheet = contact_sheet(pictures)
    assert sheet.shape == (3 * 9 - 4, 3 * 11 - 4, 3)
    assert [int(sheet[9 * row, 11 * column, 0]) for row in range(3) for column in range(3)] == [*range(7), 255, 255]
    assert (sheet == 255).all(axis=2).sum() == sheet[..., 0].size - 7 * 35
    assert np.array_equal(contact_sheet(pictures[:1]), pictures[0])


def test_existing_pictures_are_replaced_only_by_force(raster_model, tmp_path) -> None:
    common = ("generate", raster_model, "-n", 2, "--size", "32x16", "-o", tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0001.png").write_bytes(b"mine")
    code, told = invoke_silent(*common)
    assert (code, "0001.png exists already; -f replaces it." in told) == (1, True)
    assert (tmp_path / "out" / "0001.png").read_bytes() == b"mine"
    assert invoke_silent(*common, "-f")[0] == 0
    assert pixels(tmp_path / "out" / "0001.png").shape == (16, 32, 3)


@pytest.mark.parametrize(
    ("options", "exit_code", "words"),
    [
        (("--size", "16"), 2, "--size takes"),
        (("--size", "0x16"), 2, "--size takes"),
        (("--size", "257x16"), 2, "257 x 16"),
        (("--size", "16x16", "-n", 2000, "--max-pixels", 10000), 2, "over the limit"),
        (("--temperature", "-1"), 2, "--temperature takes"),
        (("--temperature", "nan"), 2, "--temperature takes"),
        (("--prefix-rows", 2), 2, "needs a --prefix"),
        (("--prefix", "nowhere.png"), 1, "There is no file"),
        (("--prefix", GOLDEN / "gray.png", "--prefix-rows", 99), 2, "99"),
        (("--seed", "-1"), 2, ""),
        (("-n", 0), 2, ""),
    ],
)
def test_what_is_refused(raster_model, tmp_path, options, exit_code, words) -> None:
    code, told = invoke_silent("generate", raster_model, "-o", tmp_path / "out", *options)
    assert code == exit_code, told
    assert words in told
    assert "Unexpected" not in told
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot(tiny, tmp_path) -> None:
    code, told = invoke_silent("generate", tiny, "-o", tmp_path / "out")
    assert code == 2
    assert told.count("\n") == 1
    assert "tiny" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", RASTER_MODELS, ids=lambda path: path.stem)
def test_every_golden_model_generates(path, tmp_path) -> None:
    assert invoke_silent("generate", path, "-n", 1, "--size", "24x16", "-o", tmp_path / "out")[0] == 0
    assert pixels(tmp_path / "out" / "0000.png").shape == (16, 24, 3)
