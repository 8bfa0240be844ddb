"""Golden files decode for ever: the same tokens, the same bytes when they are written again, the same pixels."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import imgcodec
from imgcodec.bitstream import SectionType, container
from imgcodec.codec import decode_picture
from imgcodec.pictures import metadata

GOLDEN = Path(__file__).parent / "golden"
INDEX = json.loads((GOLDEN / "golden.json").read_text())
FAMILY = json.loads((GOLDEN / "family.json").read_text())  # models of one code a place


def test_nothing_is_missing_and_nothing_is_new():
    names = {path.stem for path in GOLDEN.glob("*.nic")}
    assert names == {*INDEX["files"], *FAMILY["files"]} == {path.stem for path in GOLDEN.glob("*.png")}
    models = {INDEX["model"]["file"], *(model["file"] for model in FAMILY["models"].values())}
    assert models == {path.name for path in GOLDEN.glob("*.safetensors")}


def test_the_model_is_the_frozen_one(tiny_model):
    data = (GOLDEN / INDEX["model"]["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == INDEX["model"]["sha256"]
    assert tiny_model.id.hex() == INDEX["model"]["id"]
    assert len(data) < 200_000


@pytest.mark.parametrize("name", INDEX["files"])
def test_golden_file(tiny_model, tiny_codec, name):
    entry, data = INDEX["files"][name], (GOLDEN / f"{name}.nic").read_bytes()
    assert len(data) == entry["bytes"]

    tokens = tiny_model.read_tokens(data)
    assert (tokens.header.width, tokens.header.height) == (entry["width"], entry["height"])
    assert tokens.header.quality == entry["quality"] * 256
    assert tokens.sha256() == entry["tokens_sha256"]

    again = tiny_model.write_tokens(tokens)
    written = [s for s in container.read(data).sections if s.type == SectionType.TOKENS]
    assert list(container.read(again).sections) == written
    if entry["mode"] != "RGBA":  # that has a section which `write_tokens` knows nothing of
        assert again == data

    if name == "everything":
        found = decode_picture(tiny_codec, container.read(data))
        assert (tokens.header.tile_columns, tokens.header.tile_rows) == (3, 2)
        assert (
            ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(found.icc))).strip() == "sRGB built-in"
        )
        assert metadata.exif_density(found.exif) == (2835, 2835)
        assert (found.xmp, found.density) == (b"<x:xmpmeta/>", (11811, 5906))

    difference = difference_of(tiny_model.decompress(data), name, entry["mode"])
    if entry["mode"] == "RGBA":
        assert not difference[:, :, 3].any()


def difference_of(picture, name, mode):
    """From the pixels that a golden file decodes to, which must be one grey level at most; returned as well."""
    expected = Image.open(GOLDEN / f"{name}.png")
    assert picture.mode == expected.mode == mode
    difference = np.asarray(picture, int) - np.asarray(expected, int)
    assert np.abs(difference).max() <= 1
    return difference


@pytest.fixture(scope="module")
def family_models():
    return {name: imgcodec.load_model(str(GOLDEN / model["file"])) for name, model in FAMILY["models"].items()}


@pytest.mark.parametrize("name", FAMILY["models"])
def test_models_of_one_code_a_place_are_the_frozen_ones(family_models, name):
    entry = FAMILY["models"][name]
    data = (GOLDEN / entry["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert family_models[name].id.hex() == entry["id"]
    assert imgcodec.info(family_models[name].compress(np.zeros((8, 8, 3), np.uint8))).profile == name
    assert len(data) < 150_000


@pytest.mark.parametrize("name", FAMILY["files"])
def test_golden_file_of_one_code_a_place(family_models, name):
    entry, data = FAMILY["files"][name], (GOLDEN / f"{name}.nic").read_bytes()
    model = family_models[entry["model"]]
    assert len(data) == entry["bytes"]
    tokens = model.read_tokens(data)
    assert (tokens.header.width, tokens.header.height) == (entry["width"], entry["height"])
    assert tokens.sha256() == entry["tokens_sha256"]
    assert model.write_tokens(tokens) == data
    difference_of(model.decompress(data), name, entry["mode"])
