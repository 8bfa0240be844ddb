"""What is in a model file, read without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from imgcodec import UnusableModelError
from imgcodec.model_file.contents import open_contents

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = GOLDEN / "tiny.safetensors"


def test_contents_are_those_of_the_file():
    contents = open_contents(TINY)
    assert contents.name == "tiny"
    assert contents.id.hex() == json.loads((GOLDEN / "golden.json").read_text())["model"]["id"]
    assert contents.config["profile"] == "photo"
    assert not contents.has_digest
    with safe_open(TINY, framework="pt") as file:
        assert contents.answer == file.metadata()["answer"]
        assert contents.tensors.keys() == set(file.keys())
        for name, tensor in contents.tensors.items():
            assert (tensor.type, list(tensor.shape)) == (
                file.get_slice(name).get_dtype(),
                file.get_slice(name).get_shape(),
            )


def test_a_shipped_model_has_its_id_and_a_damaged_file_none(tmp_path):
    contents = open_contents("photo")
    assert contents.has_digest
    assert contents.picture
    data = bytearray((Path(__file__).parents[2] / "models" / "photo.safetensors").read_bytes())
    data[-1000] ^= 1
    (tmp_path / "photo.safetensors").write_bytes(data)
    with pytest.raises(UnusableModelError, match="is damaged"):
        open_contents(tmp_path / "photo.safetensors")


def test_torch_is_not_imported():
    program = f"""
import sys
from imgcodec.model_file.contents import open_contents
open_contents({str(TINY)!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
