"""Golden files, read from `docs/format.md` alone: plain Python integers get the same tokens out as the program."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from reader import integer_prior

GOLDEN = Path(__file__).parent.parent / "golden"
INDEX = json.loads((GOLDEN / "golden.json").read_text())


@pytest.fixture
def model():
    return integer_prior.read_model((GOLDEN / INDEX["model"]["file"]).read_bytes())


def test_the_page_says_how_a_model_gets_its_id(model):
    assert model.id().hex() == INDEX["model"]["id"]


@pytest.mark.parametrize("name", INDEX["files"])
def test_the_page_gets_the_tokens_out(model, name):
    tokens = integer_prior.read_tokens((GOLDEN / f"{name}.nic").read_bytes(), model)
    assert integer_prior.sha256(tokens) == INDEX["files"][name]["tokens_sha256"]


def test_another_models_file_is_refused(model):
    data = (GOLDEN / "one-pixel.nic").read_bytes()
    model.tensors["tables.shift"].data = bytes(1024)
    with pytest.raises(ValueError, match="not a file of this model"):
        integer_prior.read_tokens(data, model)


def test_the_reader_needs_nothing_but_python():
    program = f"import sys; sys.path.insert(0, {str(GOLDEN.parent)!r}); import reader.integer_prior"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)
