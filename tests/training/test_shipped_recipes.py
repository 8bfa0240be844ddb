"""Recipes by name."""

from pathlib import Path

import pytest
from in_process import invoke

from imgcodec.bitstream.errors import CodecError
from imgcodec.training.shipped_recipes import find_recipe

FOLDER = Path(__file__).parents[2] / "recipes"


def test_a_name_is_a_recipe_of_the_package_and_a_path_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo").touch()
    assert find_recipe("photo").samefile(FOLDER / "photo.toml")
    assert find_recipe("./photo").samefile(tmp_path / "photo")
    assert find_recipe("none.toml") == Path("none.toml")
    with pytest.raises(CodecError, match="There is no recipe 'none'; in the package are: bsq, "):
        find_recipe("none")


def test_recipes_are_printed() -> None:
    code, told, complained = invoke("models", "recipe")
    assert (code, told.split(), complained) == (0, sorted(path.stem for path in FOLDER.glob("*.toml")), "")
    assert invoke("models", "recipe", "photo") == (0, (FOLDER / "photo.toml").read_text(), "")
    code, told, complained = invoke("models", "recipe", "nothing")
    assert (code, told, complained.count("\n")) == (1, "", 1)
    assert "There is no recipe 'nothing'; in the package are: bsq, mine, photo" in complained
