"""`imgcodec generate`, `tokenize` and `decompress --scale` with raster models."""

import json
from pathlib import Path

import numpy as np
import pytest
from in_process import invoke, invoke_silent
from PIL import Image
from raster_models import small_model
from safetensors import safe_open
from safetensors.numpy import save_file

import imgcodec
from imgcodec.cli.generate import contact_sheet
from imgcodec.model_file.model import save_model

GOLDEN = Path(__file__).parents[1] / "golden"
RASTER_MODELS = [GOLDEN / f"{name}.safetensors" for name in ("snac", "svqvae", "bsq", "pixelcnn")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of scales 1 and 2."""
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(path, *small_model("vq", "raster"))
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((80, 64), Image.Resampling.BICUBIC).save(path)
    return path


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_pictures_and_a_sheet(model, tmp_path) -> None:
    common = ("generate", model, "-n", 3, "--size", "48x32")
    assert invoke_silent(*common, "-o", tmp_path / "a", "--grid") == (0, f"{tmp_path}/a: 3 pictures of 48 x 32\n")
    names = ["0000.png", "0001.png", "0002.png"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [*names, "grid.png"]
    loaded = imgcodec.load_model(str(model))
    wanted = [loaded.detokenize(tokens) for tokens in loaded.generate(3, (48, 32), temperature=1.0, seed=0)]
    for name, picture in zip(names, wanted, strict=True):
        assert np.array_equal(pixels(tmp_path / "a" / name), picture)
    assert np.array_equal(pixels(tmp_path / "a" / "grid.png"), contact_sheet(wanted))
    assert invoke_silent(*common, "-o", tmp_path / "b", "--seed", 1)[0] == 0
    assert not np.array_equal(pixels(tmp_path / "b" / "0000.png"), wanted[0])
    assert invoke_silent(*common, "-o", tmp_path / "c", "--temperature", 0.5, "--top-k", 3)[0] == 0
    likely = loaded.generate(3, (48, 32), temperature=0.5, top_k=3)[2]
    assert np.array_equal(pixels(tmp_path / "c" / "0002.png"), loaded.detokenize(likely))


def test_a_prefix(model, photo, tmp_path) -> None:
    loaded = imgcodec.load_model(str(model))
    for rows, options in ((None, ()), (1, ("--prefix-rows", 1)), (4, ("--prefix-rows", 4))):
        out = tmp_path / f"rows-{rows}"
        common = ("generate", model, "-n", 2, "--size", "80x64", "--prefix", photo, *options)
        assert invoke_silent(*common, "-o", out)[0] == 0
        wanted = loaded.generate(2, (80, 64), prefix=pixels(photo), prefix_rows=rows)
        for index, tokens in enumerate(wanted):
            assert np.array_equal(pixels(out / f"{index:04d}.png"), loaded.detokenize(tokens))
    # all four rows were given: nothing is left to be made up
    whole = loaded.detokenize(loaded.tokenize(pixels(photo)))
    assert np.array_equal(pixels(tmp_path / "rows-4" / "0001.png"), whole)


def test_the_sheet_has_all_pictures() -> None:
    pictures = [np.full((5, 7, 3), value, np.uint8) for value in range(7)]
    sheet = contact_sheet(pictures)
    assert sheet.shape == (3 * 9 - 4, 3 * 11 - 4, 3)
    assert [int(sheet[9 * row, 11 * column, 0]) for row in range(3) for column in range(3)] == [*range(7), 255, 255]
    assert (sheet == 255).all(axis=2).sum() == sheet[..., 0].size - 7 * 35
    assert np.array_equal(contact_sheet(pictures[:1]), pictures[0])


def test_existing_pictures_are_replaced_only_by_force(model, tmp_path) -> None:
    common = ("generate", model, "-n", 2, "--size", "32x16", "-o", tmp_path / "out")
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
def test_what_is_refused(model, tmp_path, options, exit_code, words) -> None:
    code, told = invoke_silent("generate", model, "-o", tmp_path / "out", *options)
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


def test_scales(model, tiny, photo, nic, tmp_path) -> None:
    file, out = tmp_path / "photo.nic", tmp_path / "out.png"
    loaded = imgcodec.load_model(str(model))
    file.write_bytes(loaded.compress(pixels(photo)))
    assert invoke_silent("decompress", file, "-o", out, "--model", model, "--scale", 2) == (0, "")
    assert np.array_equal(pixels(out), np.asarray(loaded.decompress(file.read_bytes(), scale=2)))
    assert pixels(out).shape == (128, 160, 3)
    (tmp_path / "tiny.nic").write_bytes(nic)
    for source, name, scale, extra in (
        (file, model, 4, ()),
        (tmp_path / "tiny.nic", tiny, 2, ()),
        (file, model, 3, ()),
        (file, model, 2, ("--allow-damaged",)),
    ):
        out = tmp_path / "none.png"
        code, told = invoke_silent("decompress", source, "-o", out, "--model", name, "--scale", scale, *extra)
        assert (code, told.count("\n")) == (2, 1), told
        assert not out.exists()
    code, _ = invoke_silent("decompress", file, "-o", out, "--model", model, "--scale", 2, "--max-pixels", 3 * 80 * 64)
    assert code == 3


def test_tokens(model, photo, tmp_path) -> None:
    loaded = imgcodec.load_model(str(model))
    wide = tmp_path / "in" / "wide.png"
    wide.parent.mkdir()
    Image.open(photo).resize((300, 40)).save(wide)
    Image.open(photo).save(tmp_path / "in" / "photo.png")
    assert invoke_silent("tokenize", model, tmp_path / "in", "-o", tmp_path / "tokens")[0] == 0
    with safe_open(tmp_path / "tokens" / "tokens-000000.safetensors", framework="numpy") as file:
        pictures = json.loads(file.metadata()["tokens"])["pictures"]
        assert [(p["name"], p["width"], p["profile"]) for p in pictures] == [
            ("photo.png", 80, "raster"),
            ("wide.png", 300, "raster"),
        ]
        assert np.array_equal(file.get_tensor("000000.0"), loaded.tokenize(pixels(photo)).stages[0])
        assert file.get_slice("000000.0").get_dtype() == "I32"
        about = json.loads(file.metadata()["tokens"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    about["pictures"][0]["profile"] = "svqvae"  # as shards said before the profile named the layout
    save_file(tensors, tmp_path / "tokens" / "tokens-000000.safetensors", {"tokens": json.dumps(about)})
    assert invoke_silent("tokenize", model, tmp_path / "tokens", "-o", tmp_path / "back", "--decode")[0] == 0
    assert np.array_equal(pixels(tmp_path / "back" / "wide.png"), loaded.detokenize(loaded.tokenize(pixels(wide))))
    code, told = invoke_silent("tokenize", model, tmp_path / "in", "-o", tmp_path / "no", "-q", 50)
    assert code == 2
    assert "one rate" in told


@pytest.mark.parametrize("path", RASTER_MODELS, ids=lambda path: path.stem)
def test_every_golden_model_generates(path, tmp_path) -> None:
    assert invoke_silent("generate", path, "-n", 1, "--size", "24x16", "-o", tmp_path / "out")[0] == 0
    assert pixels(tmp_path / "out" / "0000.png").shape == (16, 24, 3)


def test_one_rate_is_no_quality(model, photo, tmp_path) -> None:
    assert invoke_silent("compress", photo, "-o", tmp_path / "a.nic", "--model", model)[0] == 0
    code, told, _ = invoke("info", tmp_path / "a.nic", "--json")
    header = json.loads(told)["header"]
    assert (code, header["quality"], header["tune"]) == (0, None, None)
    assert "quality" not in invoke("info", tmp_path / "a.nic")[1]
    code, told = invoke_silent("bench", photo, "--model", model, "-q", "50")
    assert (code, told) == (2, "imgcodec: The model small has one rate: it takes no quality.\n")
