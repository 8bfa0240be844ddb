"""Models are found by name, by path and by id, and the id of a file is that of its contents."""

import json
import shutil
from pathlib import Path

import pytest

from imgcodec import CodecError, ModelNotFoundError
from imgcodec.model_file import find, model
from imgcodec.model_file.find import find_model, find_model_by_id, id_of_file, version_of

TINY = Path(__file__).parents[1] / "golden" / "tiny.safetensors"
GOLDEN_ID = json.loads((TINY.parent / "golden.json").read_text())["model"]["id"]


def test_missing_models_are_refused():
    with pytest.raises(ModelNotFoundError, match="'' is not installed"):
        find_model("")
    with pytest.raises(ModelNotFoundError, match="'nothing' is not installed"):
        find_model("nothing")
    with pytest.raises(ModelNotFoundError):
        find_model("nowhere/nothing.safetensors")
    with pytest.raises(ModelNotFoundError, match="0102030405060708"):
        find_model_by_id(bytes([1, 2, 3, 4, 5, 6, 7, 8]))


def test_a_model_is_found_by_name_and_by_id(tmp_path, monkeypatch):
    monkeypatch.setattr(find, "_folder", lambda: tmp_path)
    shutil.copy(TINY, tmp_path / "small.safetensors")
    assert find_model("small") == tmp_path / "small.safetensors"
    assert find_model_by_id(bytes.fromhex(GOLDEN_ID)) == tmp_path / "small.safetensors"
    with pytest.raises(ModelNotFoundError, match="there are: small"):
        find_model("large")


@pytest.mark.parametrize("path", sorted(TINY.parent.glob("*.safetensors")), ids=lambda path: path.stem)
def test_the_id_of_a_file_is_that_of_its_tensors(path):
    assert id_of_file(version_of(path)) == model.open_model(path).id


def test_files_that_are_no_models_have_no_id(tmp_path, monkeypatch):
    for data in (b"", b"not a model", TINY.read_bytes()[:5000]):
        (tmp_path / "broken.safetensors").write_bytes(data)
        with pytest.raises(CodecError, match=r"^broken\.safetensors is not a safetensors file"):
            id_of_file(version_of(tmp_path / "broken.safetensors"))
    with pytest.raises(CodecError, match="cannot be read"):
        version_of(tmp_path / "nothing.safetensors")
    monkeypatch.setattr(find, "LARGEST_FILE", 1000)
    with pytest.raises(CodecError, match="too large"):
        id_of_file(version_of(TINY)._replace(mtime_ns=0))


def test_a_damaged_model_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"junk")
    shutil.copy(TINY, tmp_path / "b.safetensors")
    monkeypatch.setattr(find, "_folder", lambda: tmp_path)
    id = find.id_of_file(find.version_of(tmp_path / "b.safetensors"))
    assert find.find_model_by_id(id).name == "b.safetensors"
