"""The package as others get it: what it exports, what it contains, and a wheel used from outside the tree."""

import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
from PIL import Image

import imgcodec

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "imgcodec": "imgcodec",
    "bitstream": "imgcodec.bitstream",
    "cli": "imgcodec.cli",
    "models": "imgcodec.models",
    "recipes": "imgcodec.recipes",
}


def python(code: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, **environment}, check=True, text=True
    )
    return result.stdout.strip()


def test_importing_it_does_not_import_torch() -> None:
    assert python("import imgcodec, sys; print('torch' in sys.modules)") == "False"


def test_a_checkout_that_hides_an_installed_package_says_so() -> None:
    """As Python is started in the root of a checkout; -S, so that it does not see how imgcodec is installed here."""
    command = [sys.executable, "-S", "-c", "import imgcodec"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("ImportError: This is the folder imgcodec of a checkout, which hides the installed package")
    assert "pip install -e ." in last


def test_every_name_it_promises_is_there() -> None:
    for name in imgcodec.__all__:
        assert getattr(imgcodec, name) is not None
        assert name in dir(imgcodec)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        imgcodec.nothing  # noqa: B018


def test_every_folder_with_modules_is_a_package_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = {
        ".".join([package, *path.parent.relative_to(ROOT / folder).parts])
        for folder, package in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    assert found == set(project["tool"]["setuptools"]["packages"])


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    names = {re.split(r"\[|>=", entry)[0].lower() for entry in wanted if not entry.startswith("imgcodec[")}
    assert names <= pinned


def test_the_bitstream_knows_neither_torch_nor_the_library() -> None:
    imports = ", ".join(f"imgcodec.bitstream.{path.stem}" for path in (ROOT / "bitstream").glob("[a-z]*.py"))
    modules = python(f"import {imports}, sys; print([m for m in sys.modules if m.startswith(('torch', 'imgcodec'))])")
    assert "torch" not in modules
    assert all(name.startswith("imgcodec.bitstream") or name == "imgcodec" for name in eval(modules))


def test_the_description_on_pypi_has_no_relative_links() -> None:
    address = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
    text = runpy.run_path(str(ROOT / "setup.py"))["absolute"]((ROOT / "README.md").read_text(), address)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert f"{address}/raw/main/docs/photo.png" in links
    assert f"{address}/blob/main/docs/tutorial.md" in links
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {imgcodec.__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.slow
def test_the_sdist_has_all_that_is_under_version_control(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    files = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    tree = tmp_path / "tree"
    for name in files:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    code = "from setuptools.build_meta import build_sdist; build_sdist('..')"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    with tarfile.open(tmp_path / f"imgcodec-{imgcodec.__version__}.tar.gz") as sdist:
        packed = {name.partition("/")[2] for name in sdist.getnames()}
    assert set(files) - packed == set()


@pytest.mark.slow
def test_a_wheel_works_from_outside_the_tree(tmp_path: Path) -> None:
    # From a copy, for a build folder that is left over in the tree would get into the wheel.
    tree, installed, elsewhere = (tmp_path / name for name in ("tree", "installed", "elsewhere"))
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    (tree / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "LICENSE.md", tree / "examples")
    elsewhere.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, tree], check=True)
    (wheel,) = tmp_path.glob("imgcodec-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"imgcodec", f"imgcodec-{imgcodec.__version__}.dist-info"}
    assert "imgcodec/py.typed" in names
    assert f"imgcodec-{imgcodec.__version__}.dist-info/licenses/models/CREDITS.md" in names
    for path in (ROOT / "models").iterdir():
        assert path.suffix not in (".safetensors", ".md") or f"imgcodec/models/{path.name}" in names
    for path in (ROOT / "recipes").glob("*.toml"):
        assert f"imgcodec/recipes/{path.name}" in names
    assert not any(name.endswith("photo-average.safetensors") for name in names)
    for path in (ROOT / "imgcodec" / "evaluation" / "page_files").iterdir():
        assert f"imgcodec/evaluation/page_files/{path.name}" in names
    # the viewer's page, where it is built
    for path in (ROOT / "imgcodec" / "viewer_page").rglob("*"):
        assert path.is_dir() or path.relative_to(ROOT).as_posix() in names

    subprocess.run([*pip, "install", "--no-deps", "--target", installed, wheel], check=True)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    # What is imported from the tree all the same would hide what the wheel lacks.
    code = (
        "import imgcodec.cli, imgcodec.api, json, sys;"
        "print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'imgcodec']))"
    )
    files = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=elsewhere, check=True, capture_output=True
    )
    assert all(Path(name).is_relative_to(installed) for name in json.loads(files.stdout))

    Image.effect_mandelbrot((64, 64), (-2, -1.5, 1, 1.5), 50).convert("RGB").save(elsewhere / "picture.png")
    for arguments in (
        ["compress", "picture.png"],
        ["decompress", "picture.nic", "-o", "back.png"],
        ["info", "picture.nic"],
    ):
        subprocess.run([installed / "bin" / "imgcodec", *arguments], env=environment, cwd=elsewhere, check=True)
    assert Image.open(io.BytesIO((elsewhere / "back.png").read_bytes())).size == (64, 64)
