"""Tests mirror the house: `imgcodec/a/b.py` has `tests/a/test_b.py`, and `cli/b.py` has `tests/cli/test_b.py`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A package with code of its own is tested under the name of what that does.
PACKAGES = {
    "imgcodec/__init__.py": "test_package.py",
    "imgcodec/profiles/__init__.py": "profiles/test_table.py",
    "cli/__init__.py": "cli/test_refusals.py",
}

# What has no behaviour of its own, and why.
EXEMPT = {
    "imgcodec/__main__.py": "it calls imgcodec.cli.main",
    "cli/all_commands.py": "it calls make_app, of cli/commands.py",
    "imgcodec/profiles/exact/layout.py": "constants, which tests/profiles/test_layout.py compares",
    "imgcodec/profiles/photo/layout.py": "constants, which tests/profiles/test_layout.py compares",
    "imgcodec/profiles/raster/layout.py": "constants, which tests/profiles/test_layout.py compares",
    "imgcodec/profiles/semantic/layout.py": "constants, which tests/profiles/test_layout.py compares",
}


def has_code(path: Path) -> bool:
    """Whether there is more than a docstring in a module."""
    return len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


MODULES = [
    path.relative_to(ROOT).as_posix()
    for room in ("imgcodec", "bitstream", "cli")
    for path in sorted((ROOT / room).rglob("*.py"))
    if has_code(path)
]


def mirror(module: str) -> str:
    """The file in tests/ that tests a module."""
    path = Path(module.removeprefix("imgcodec/"))
    return PACKAGES.get(module) or path.with_name(f"test_{path.name}").as_posix()


@pytest.mark.parametrize("module", [module for module in MODULES if module not in EXEMPT])
def test_every_module_has_its_test_file(module: str) -> None:
    path = ROOT / "tests" / mirror(module)
    assert path.is_file(), f"tests/{mirror(module)} is missing"
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert any(function.name.startswith("test_") for function in functions)


def test_exceptions_are_modules_that_are_there() -> None:
    assert {*PACKAGES, *EXEMPT} <= set(MODULES)


@pytest.mark.parametrize("package", [p for p in MODULES if p.endswith("__init__.py")])
def test_no_name_of_a_package_hides_a_module_in_it(package: str) -> None:
    """`import imgcodec.profiles.photo.codec as codec` would fail where the package calls something else `photo`."""
    folder = ROOT / package.removesuffix("__init__.py")
    inside = {p.stem for p in folder.glob("*.py")} | {p.name for p in folder.iterdir() if (p / "__init__.py").exists()}
    name = package.removesuffix("/__init__.py").replace("/", ".")
    names = {
        alias.asname or alias.name.partition(".")[0]: f"{getattr(node, 'module', '')}.{alias.name}"
        for node in ast.walk(ast.parse((ROOT / package).read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    hidden = {n: source for n, source in names.items() if n in inside and source != f"{name}.{n}"}
    assert not hidden
