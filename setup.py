"""The description of the package, as PyPI shows it: README.md with absolute links. All else is in pyproject.toml."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def absolute(text: str, address: str) -> str:
    """Markdown whose relative links lead to the files at the address, and whose pictures are fetched from there."""
    text = re.sub(r"(!\[[^\]]*\]\()(?!https?://)", rf"\1{address}/raw/main/", text)
    return re.sub(r"((?<!!)\[[^\]]*\]\()(?!https?://|#)", rf"\1{address}/blob/main/", text)


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    setup(long_description=absolute(readme, project["urls"]["Source"]), long_description_content_type="text/markdown")
