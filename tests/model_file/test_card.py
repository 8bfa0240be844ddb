"""Cards beside model files, in either form."""

from pathlib import Path

import pytest

from imgcodec.model_file.card import Card, card_of, hub_card

TEXT = """# `own`, for scans

| id | `0123456789abcdef` |
| licence of the weights | MIT |

| q | bpp |
|--|--|
| 1 | 0.5 |
"""
CARD = Card("for scans", (0.5, 0.5), "0123456789abcdef", "mit")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "own.safetensors"


def test_a_page_of_the_models_name(model: Path) -> None:
    model.with_suffix(".md").write_text(TEXT)
    model.with_name("README.md").write_text("---\nlibrary_name: imgcodec\n---\n# `other`, for nothing\n")
    assert card_of(model) == CARD


def test_a_page_of_the_hub_says_the_same(model: Path) -> None:
    model.with_suffix(".md").write_text(TEXT)
    page = hub_card("own", card_of(model), {}, "apache-2.0")
    model.with_suffix(".md").unlink()
    model.with_name("README.md").write_text(page)
    found = card_of(model)
    assert found == Card("for scans", (0.5, 0.5), "0123456789abcdef", "apache-2.0")
    assert hub_card("own", found, {}, found.license) == page


@pytest.mark.parametrize(
    "metadata", ["", "---\nlibrary_name: other\n---\n", "---\nlibrary_name: imgcodec\n", "---\n" * 9]
)
def test_a_readme_that_is_no_card_is_left_alone(model: Path, metadata: str) -> None:
    model.with_name("README.md").write_text(f"{metadata}# My project\n")
    assert card_of(model) == Card()
