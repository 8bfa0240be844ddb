"""Repositories of the hub that are made of models: the file as it is, and a card with the hub's metadata."""

import re
from pathlib import Path

import pytest
from in_process import invoke_silent
from raster_models import small_model

from imgcodec.model_file.card import card_of
from imgcodec.model_file.inventory import describe
from imgcodec.model_file.model import save_model

MODELS = Path(__file__).parents[2] / "models"
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A model of one's own, without a card."""
    save_model(tmp_path / "own.safetensors", *small_model("bsq", "raster"))
    return tmp_path / "own.safetensors"


def metadata(page: str) -> dict[str, str]:
    """The block that a page begins with, as YAML has it: here, names and words alone."""
    block = re.match(r"---\n(.*?)\n---\n\n# ", page, re.DOTALL)
    assert block is not None
    return dict(re.findall(r"(?m)^(\w+): ?(.*(?:\n- .*)*)$", block[1]))


def test_a_shipped_model(tmp_path: Path) -> None:
    code, complained = invoke_silent("models", "export", "bsq", "-o", tmp_path / "new" / "bsq")
    assert (code, complained.count("\n")) == (0, 1)
    folder = tmp_path / "new" / "bsq"
    assert {path.name for path in folder.iterdir()} == {"bsq.safetensors", "README.md"}
    assert (folder / "bsq.safetensors").read_bytes() == (MODELS / "bsq.safetensors").read_bytes()
    page = (folder / "README.md").read_text()
    found = metadata(page)
    assert (found["license"], found["library_name"]) == ("apache-2.0", "imgcodec")
    assert "image-compression" in found["tags"].split("\n- ")
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert [link for link in links if not link.startswith("https://")] == []
    assert "imgcodec compress photo.png --model hf://OWNER/NAME\n" in page
    ours, exported = describe("bsq"), describe(str(folder / "bsq.safetensors"))
    assert (exported.id, exported.card) == (ours.id, ours.card)


def test_a_model_of_ones_own_gets_a_card_of_its_facts(own: Path, tmp_path: Path) -> None:
    code, complained = invoke_silent("models", "export", own, "-o", tmp_path / "out")
    assert (code, "the card names no licence; give one with --license" in complained) == (0, True)
    page = (tmp_path / "out" / "README.md").read_text()
    assert "license" not in metadata(page)
    assert card_of(tmp_path / "out" / "own.safetensors").id == describe(str(own)).id

    assert invoke_silent("models", "export", own, "-o", tmp_path / "out", "--license", "mit")[0] == 1  # it is there
    assert invoke_silent("models", "export", own, "-o", tmp_path / "out", "--license", "mit", "-f")[0] == 0
    assert metadata((tmp_path / "out" / "README.md").read_text())["license"] == "mit"
    again = tmp_path / "again"
    assert invoke_silent("models", "export", tmp_path / "out" / "own.safetensors", "-o", again)[0] == 0
    assert (again / "README.md").read_text() == (tmp_path / "out" / "README.md").read_text()


def test_the_card_beside_a_model_is_taken(own: Path, tmp_path: Path) -> None:
    own.with_suffix(".md").write_text("# `own`, for scans\n\n[here](me.md) ![p](p.png)\n[there](https://a.b/c)\n")
    assert invoke_silent("models", "export", own, "-o", tmp_path / "out", "--license", "mit")[0] == 0
    page = (tmp_path / "out" / "README.md").read_text()
    assert "\n# `own`, for scans\n\nhere [there](https://a.b/c)\n\n## Use it" in page


@pytest.mark.parametrize(("license", "code"), [("MIT or so", 2), ("mit\ntags: [x]", 2), ("", 2), ("cc-by-4.0", 0)])
def test_a_licence_is_one_word(own: Path, tmp_path: Path, license: str, code: int) -> None:
    assert invoke_silent("models", "export", own, "-o", tmp_path / "out", "--license", license)[0] == code
    assert (tmp_path / "out").exists() == (code == 0)


def test_what_is_not_exported(own: Path, tmp_path: Path) -> None:
    code, complained = invoke_silent("models", "export", GOLDEN / "tiny.safetensors", "-o", tmp_path / "out")
    assert (code, "carries no digest" in complained) == (4, True)
    data = own.read_bytes()
    own.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert invoke_silent("models", "export", own, "-o", tmp_path / "out")[0] == 4
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert invoke_silent("models", "export", "bsq", "-o", tmp_path / "full", "-f")[0] == 1
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
