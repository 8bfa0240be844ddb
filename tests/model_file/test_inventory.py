"""The inventory: facts of model files and of the cards beside them, and whether a model works here."""

import json
import shutil
from pathlib import Path

import pytest

from imgcodec.bitstream.errors import CodecError, ModelNotFoundError, UnusableModelError
from imgcodec.model_file.card import LARGEST_CARD, Card
from imgcodec.model_file.inventory import check, describe
from imgcodec.profiles.photo.model import load_photo_model

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = GOLDEN / "tiny.safetensors"
ID = json.loads((GOLDEN / "golden.json").read_text())["model"]["id"]
CARD = """# `small`, for tests

| | |
|---|---|
| id | `{id}` |

| quality | bpp | dB |
|--|--:|--|
| 1 | 0.5 | 30 |
| 2 | 0.25 | - |
| 3 | 2 | 31 |

| quality | bpp |
|--|--|
| 1 | 9 |
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the tiny model, without a card."""
    return shutil.copy(TINY, tmp_path / "small.safetensors")


def test_the_facts_of_a_file(model: Path) -> None:
    facts = describe(str(model))
    assert (facts.name, facts.path, facts.id, facts.profile) == ("small", model, ID, "photo")
    assert facts.bytes == TINY.stat().st_size
    photo = load_photo_model(str(TINY))
    assert facts.parameters["tokenizer"] == sum(t.numel() for t in photo.tokenizer.state_dict().values())
    assert facts.parameters["prior"] == sum(t.numel() for t in photo.prior.state_dict().values())
    assert facts.card == Card()


def test_the_facts_of_a_card(model: Path) -> None:
    model.with_suffix(".md").write_text(CARD.format(id=ID))
    assert describe(str(model)).card == Card("for tests", (0.25, 2.0), ID)


@pytest.mark.parametrize("card", [b"", b"\xff\xfe", b"| bpp |", b"# \n| id | 12 |", b"a" * (LARGEST_CARD + 1)])
def test_a_card_that_says_nothing_is_empty(model: Path, card: bytes) -> None:
    model.with_suffix(".md").write_bytes(card)
    assert describe(str(model)).card == Card()


def test_what_is_no_model_has_no_facts(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("text")
    with pytest.raises(UnusableModelError, match=r"^text\.safetensors is not a safetensors file"):
        describe(str(tmp_path / "text.safetensors"))
    with pytest.raises(ModelNotFoundError):
        describe(str(tmp_path / "nothing.safetensors"))


def test_a_model_is_loaded_by_its_path_and_has_the_id_of_its_card(model: Path) -> None:
    loaded: list[Path] = []
    check(describe(str(model)), loaded.append)
    model.with_suffix(".md").write_text(CARD.format(id=ID))
    check(describe(str(model)), loaded.append)
    assert loaded == [model, model]
    model.with_suffix(".md").write_text(CARD.format(id="0" * 16))
    with pytest.raises(UnusableModelError, match=f"has id {ID}, and its card states id {'0' * 16}"):
        check(describe(str(model)), loaded.append)
    assert len(loaded) == 2


def test_a_model_that_does_not_load_is_not_sound(model: Path) -> None:
    def load(_: Path) -> None:
        raise CodecError("It does not add up.")

    with pytest.raises(UnusableModelError, match=r"^It does not add up\.$"):
        check(describe(str(model)), load)
