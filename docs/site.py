"""What the site has besides the pages in docs/: a hook of mkdocs, which calls these functions."""

import posixpath
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]
LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)#\s]+)")
AT_THE_ROOT = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Pages that lie at the root of the repository, where everybody looks for them."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in docs/."""
    pages = {name: moved((ROOT / source).read_text(encoding="utf-8")) for name, source in AT_THE_ROOT.items()}
    for name, text in {**pages, "cli.md": commands()}.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that lead out of docs/ go to the files at the project's address."""
    return LINK.sub(lambda link: outside(link[0]), markdown)


def moved(text: str) -> str:
    """Of a page at the root: its links, as seen from docs/."""
    names = {source: name for name, source in AT_THE_ROOT.items()}
    return LINK.sub(lambda link: names.get(link[0]) or posixpath.relpath(link[0], "docs"), text)


def outside(link: str) -> str:
    return f"{ADDRESS}/blob/main/{link.removeprefix('../')}" if link.startswith("../") else link


def commands() -> str:
    """The reference of all commands, as typer makes it of their code."""
    line = [sys.executable, "-m", "typer", "imgcodec.cli.all_commands", "utils", "docs", "--name", "imgcodec"]
    return subprocess.run(line, cwd=ROOT / "docs", check=True, capture_output=True, text=True).stdout
