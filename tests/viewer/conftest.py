"""The viewer, built for the tests. Without Node, or what `npm ci` installs, they are skipped."""

import json
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imgcodec import viewing
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.graph_folder import export_graphs

GOLDEN = Path(__file__).parents[1] / "golden"
VIEWER = Path(__file__).parents[2] / "viewer"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the page, and with what the tests run under Node."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < 20:
        pytest.skip(f"Node {version.strip()} is older than 20")
    if not (VIEWER / "node_modules").is_dir():
        pytest.skip("the viewer's packages are not installed: make viewer")
    folder = tmp_path_factory.mktemp("viewer")
    subprocess.run(["node", "build.mjs", str(folder), "--tests"], cwd=VIEWER, check=True)
    return folder


@pytest.fixture(scope="session")
def ask(built: Path) -> Callable[..., list[Any]]:
    """Runs a command of viewer/test/tool.ts on requests -> its answers, and last what memory it took."""

    def run(command: str, requests: Iterable[bytes], *arguments: str, timeout: float = 120) -> list[Any]:
        given = b"".join(struct.pack("<I", len(request)) + request for request in requests)
        told = subprocess.run(
            ["node", str(built / "tool.mjs"), command, *arguments],
            input=given, capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr.decode()
        return [json.loads(line) for line in told.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models for pages, with the frozen one of the golden files."""
    folder = tmp_path_factory.mktemp("models")
    model = open_contents(str(GOLDEN / "tiny.safetensors"))
    export_graphs(model, folder / f"{model.id.hex()}.nicm", force=False)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    import chromium  # which skips where there is none

    with chromium.running() as browser:
        yield browser


@pytest.fixture(scope="module")
def page_files(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page at `address`."""
    folder = tmp_path_factory.mktemp("page") / "page"
    shutil.copytree(built, folder)
    return folder


@pytest.fixture(scope="module")
def address(page_files: Path) -> Iterator[str]:
    """Of a page with the model of the golden files, and no file."""
    patch = pytest.MonkeyPatch()
    patch.setattr(viewing, "page_folder", lambda: page_files)
    with viewing.served(None, model=str(GOLDEN / "tiny.safetensors")) as address:
        yield address
    patch.undo()
