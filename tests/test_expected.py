"""The shipped weights reach the figures that are on record, and read files that another processor wrote."""

import json
from pathlib import Path

import numpy as np
import pytest
from expected.make import PART, ids, measure
from PIL import Image

import imgcodec
from imgcodec.model_file.find import installed_models, shipped_ids
from imgcodec.model_file.inventory import describe
from imgcodec.model_file.model import open_model

EXPECTED = Path(__file__).parent / "expected"
HASHES = json.loads((EXPECTED / "files.json").read_text())


def test_every_installed_model_has_figures() -> None:
    assert {p.stem for p in EXPECTED.glob("*.json")} - {"files"} == set(installed_models())


def test_the_package_knows_the_ids_of_its_models() -> None:
    """Or their files would be refused as damaged."""
    after = "after a change of weights run `python tests/expected/make.py`, which writes models/ids.json and the cards"
    assert {name: id.hex() for name, id in shipped_ids().items()} == ids(), after
    assert {name: describe(name).card.id for name in installed_models()} == ids(), after
    for name in installed_models():
        file = open_model(name)
        assert file.has_digest, after
        assert file.picture, after


@pytest.mark.parametrize("name", installed_models())
def test_figures_of_the_shipped_weights(name: str) -> None:
    expected = json.loads((EXPECTED / f"{name}.json").read_text())
    found = measure(name)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert row == {
            **wanted,
            "bytes": pytest.approx(wanted["bytes"], rel=0.01, abs=2),
            "psnr": pytest.approx(wanted["psnr"], abs=0.03),
            "ssimulacra2": pytest.approx(wanted["ssimulacra2"], rel=0.01, abs=0.3),
        }


def test_the_two_processors_chose_different_tokens() -> None:
    assert len(set(HASHES.values())) == len(HASHES) == 2


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("setting", HASHES)
def test_files_of_both_processors_decode_to_the_same_here(setting: str, engine: str) -> None:
    path, model = EXPECTED / f"photo-{setting}.nic", imgcodec.load_model("photo", engine=engine)
    assert model.read_tokens(path.read_bytes()).sha256() == HASHES[setting]
    decoded = np.asarray(model.decompress(path.read_bytes()).crop(PART)).astype(int)
    with Image.open(path.with_suffix(".png")) as image:
        assert np.abs(decoded - np.asarray(image)).max() <= 1
