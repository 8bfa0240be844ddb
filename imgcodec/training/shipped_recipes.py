"""Recipes by name: those in the package. Knows no torch, for which `imgcodec models recipe` does not wait."""

from importlib import resources
from pathlib import Path

from imgcodec.bitstream.errors import CodecError


def shipped_recipes() -> list[str]:
    """Names of the recipes in the package."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def find_recipe(name_or_path: str) -> Path:
    """The file of a recipe in the package, or the path itself; a file that is called like such a recipe is
    `./photo`. Raises CodecError where there is neither; a path that ends in .toml is left to who reads it."""
    if name_or_path in (names := shipped_recipes()):
        return _folder() / f"{name_or_path}.toml"
    if not name_or_path.endswith(".toml") and not Path(name_or_path).exists():
        raise CodecError(f"There is no recipe {name_or_path!r:.200}; in the package are: {', '.join(names)}.")
    return Path(name_or_path)


def _folder() -> Path:
    return Path(str(resources.files("imgcodec.recipes")))
