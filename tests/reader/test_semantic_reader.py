"""Vectors of the golden files, read from `docs/format.md` alone."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
from reader import semantic_reader

GOLDEN = Path(__file__).parent.parent / "golden"
INDEX = json.loads((GOLDEN / "semantic.json").read_text())


@pytest.fixture(scope="module")
def model():
    return semantic_reader.Model((GOLDEN / INDEX["model"]["file"]).read_bytes())


def test_the_id_of_a_model_follows_from_the_specification(model):
    assert model.id.hex() == INDEX["model"]["id"]


@pytest.mark.parametrize("name", INDEX["files"])
def test_the_independent_reader_reads_the_golden_vectors(model, name):
    levels = semantic_reader.read_levels((GOLDEN / f"{name}.nic").read_bytes(), model)
    packed = struct.pack(f"<{len(levels)}H", *levels)
    assert hashlib.sha256(packed).hexdigest() == INDEX["files"][name]["levels_sha256"]
    vector = semantic_reader.vector(levels, model)
    assert hashlib.sha256(struct.pack(f"<{len(vector)}f", *vector)).hexdigest() == INDEX["files"][name]["vector_sha256"]


def test_a_file_of_another_model_is_refused(model):
    model.id, kept = b"another!", model.id
    with pytest.raises(ValueError, match="not of this model"):
        semantic_reader.read_levels((GOLDEN / "semantic-odd-size.nic").read_bytes(), model)
    model.id = kept
