"""The viewer's decoder, under Node: golden files come to their tokens, and hostile ones to a sentence or a picture."""

import base64
import json
from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest
from fuzz.corpus import GOLDEN, seeds
from fuzz.structure import mend, mutate, take_apart
from PIL import Image

import imgcodec
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.graph_folder import export_graphs

INDEX = json.loads((GOLDEN / "golden.json").read_text())
TINY = bytes.fromhex(INDEX["model"]["id"])
MOST_PIXELS = 2**16  # a larger picture of a hostile file takes long, and is no hang
MOST_MEMORY = 2**30  # bytes


@pytest.fixture(scope="module")
def decoded(ask, models):
    """What becomes of the golden files, by their names."""
    data = [(GOLDEN / f"{name}.nic").read_bytes() for name in INDEX["files"]]
    *answers, _ = ask("picture", data, str(models))
    return dict(zip(INDEX["files"], answers, strict=True))


@pytest.mark.parametrize("name", INDEX["files"])
def test_golden_files_come_to_their_tokens_and_pixels(decoded, name):
    answer = decoded[name]
    assert answer["sha256"] == INDEX["files"][name]["tokens_sha256"]
    shape = answer["height"], answer["width"], 3
    pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(shape)
    expected = np.asarray(Image.open(GOLDEN / f"{name}.png"), int)
    expected = expected[..., :3] if expected.ndim == 3 else expected[..., None]  # gray: all channels are equal
    assert np.abs(pixels - expected).max() <= 1


def test_hostile_files_end_in_a_sentence_or_a_picture(ask, models):
    """Relatives of the corpus whose checksums are right and that are of the model that is there."""
    random, corpus = Random(3), [data for _, data in seeds()]
    files = [mend(mutate(random.choice(corpus), random), TINY) for _ in range(1000)]
    *answers, memory = ask("picture", [small(data) for data in files], str(models), timeout=600)
    assert all(answer["error"].endswith(".") for answer in answers if "error" in answer)
    shown = sum("pixels" in answer for answer in answers)
    assert 100 < shown < 900
    assert memory["peak"] < MOST_MEMORY


def small(data: bytes) -> bytes:
    """The file, or one of no pixels where it says that it has many."""
    try:
        parts = take_apart(data)
    except ValueError:
        return data
    if parts.width * parts.height <= MOST_PIXELS:
        return data
    return mend(b"".join([data[:9], b"\0\0", replace(parts).fields, b"\0\0\0\0"]), TINY)


def test_a_model_that_is_missing_is_said(ask, tmp_path):
    answer, _ = ask("picture", [(GOLDEN / "odd-size.nic").read_bytes()], str(tmp_path))
    assert answer["kind"] == "model"
    assert TINY.hex() in answer["error"]


@pytest.mark.parametrize("cut", [0, 10, 1000])
def test_a_model_that_is_damaged_is_said(ask, models, tmp_path, cut):
    folder = tmp_path / f"{TINY.hex()}.nicm"
    folder.mkdir()
    for path in next(models.iterdir()).iterdir():
        data = path.read_bytes()
        (folder / path.name).write_bytes(data[:cut] if path.name == "prior-04.onnx.zz" else data)
    answer, _ = ask("picture", [(GOLDEN / "odd-size.nic").read_bytes()], str(tmp_path))
    assert answer["kind"] == "model"
    assert "damaged" in answer["error"]


@pytest.mark.parametrize("name", ["semantic-random", "bsq-random"])
def test_other_profiles_are_named(ask, models, name):
    answer, _ = ask("picture", [(GOLDEN / f"{name}.nic").read_bytes()], str(models))
    profile = {"bsq": "raster"}.get(name.partition("-")[0], name.partition("-")[0])
    assert f"profile {profile}," in answer["error"]
    assert "decompress" in answer["error"]


@pytest.mark.slow
def test_files_of_the_shipped_model_come_to_their_tokens(ask, tmp_path):
    """And to their pixels, within a gray level, in both tunes."""
    codec = imgcodec.load_model("photo")
    contents = open_contents("photo")
    export_graphs(contents, tmp_path / f"{contents.id.hex()}.nicm", force=False)
    photo = GOLDEN.parents[1] / "examples" / "photo.png"
    kinds = product((5, 50, 95), ("psnr", "visual"))
    files = [codec.compress(photo, quality=quality, tune=tune) for quality, tune in kinds]
    *answers, _ = ask("picture", files, str(tmp_path), timeout=1200)
    for data, answer in zip(files, answers, strict=True):
        assert answer["sha256"] == codec.read_tokens(data).sha256()
        expected = np.asarray(codec.decompress(data), int)
        pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(expected.shape)
        assert np.abs(pixels - expected).max() <= 1
