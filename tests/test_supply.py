"""What the package may do at all: no pickle, no programs, no network, no code from data. See `docs/security.md`."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imgcodec import UsageError

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
FOLDERS = ("imgcodec", "bitstream", "cli", "models", "recipes")
SOURCES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]

# Modules that run what they read, start programs or open connections.
FORBIDDEN_MODULES = {
    "pickle", "marshal", "shelve", "dill", "joblib", "ctypes", "subprocess", "multiprocessing", "socket", "ssl", "http",
    "urllib", "ftplib", "smtplib", "xmlrpc", "requests", "xml", "yaml", "code", "runpy", "zipimport", "tempfile",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.save", "torch.hub.load", "torch.jit.load", "np.load",
    "np.save", "os.system", "os.popen", "np.fromfile",
}  # fmt: skip


def called(node: ast.expr) -> str:
    """`torch.load` of `torch.load(...)`, nothing of what is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (inner := called(node.value)):
        return f"{inner}.{node.attr}"
    return ""


def offences(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_MODULES
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module.split(".")[0]} & FORBIDDEN_MODULES
        elif isinstance(node, ast.Call):
            found |= {called(node.func)} & FORBIDDEN_CALLS
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_can_run_what_it_reads(path):
    allowed = {
        "speed.py": {"ctypes"},  # tells glibc's malloc two constants
        "xmp.py": {"xml"},  # expat, with document types refused: tests/pictures/test_xmp.py
        "viewing.py": {"http", "urllib"},  # serves a page on 127.0.0.1, when it is asked to: tests/test_viewing.py
        "picsum.py": {"http", "urllib"},  # downloads pictures to train on, when it is asked to
        "workers.py": {"multiprocessing"},  # between processes of one command, which wrote it themselves
        "teacher.py": {"torch.load"},  # weights_only, of a file of an installed package
    }
    assert offences(path.read_text(encoding="utf-8")) == allowed.get(path.name, set())


def test_the_check_sees_what_it_is_for():
    assert offences("import pickle, os.path\nfrom urllib.request import urlopen") == {"pickle", "urllib"}
    assert offences("torch.load(x)\nmodel.eval()\nre.compile('a')\neval('1')") == {"torch.load", "eval"}


AUDITED = """
import sys
import imgcodec, imgcodec.api, imgcodec.pictures.io, imgcodec.training.recipe
from pathlib import Path
events = []
forbidden = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pickle.",
             "urllib.", "ftplib.", "http.", "webbrowser.", "code.__new__", "ctypes.dlopen")
itself = ("ctypes.dlopen", (None,))  # the program that is running, for malloc's settings
sys.addaudithook(lambda *e: events.append(e[0]) if e[0].startswith(forbidden) and e != itself else None)
golden = Path(sys.argv[1])
model = imgcodec.load_model(str(golden / "tiny.safetensors"))
for name in ("alpha", "gray", "two-tiles"):
    data = (golden / f"{name}.nic").read_bytes()
    picture = imgcodec.pictures.io.load(model.decompress(data))
    assert model.compress(imgcodec.pictures.io.encode(picture, "PNG")[0])
imgcodec.training.recipe.read_recipe(Path(sys.argv[2]), ["batch=4"])
print(events)
"""


def test_coding_opens_no_connection_and_starts_no_program():
    """With an audit hook of the interpreter, which sees what C code does through Python, too."""
    command = [sys.executable, "-c", AUDITED, str(GOLDEN), str(ROOT / "recipes" / "photo.toml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr


@pytest.mark.parametrize(
    "setting",
    [
        "batch=__import__('os').system('true')",
        "batch=!!python/object/apply:os.system ['true']",
        "phases.0.__class__=1",
        'phases.0.name="../../outside"',
        'phases.0.name="/tmp/outside"',
        'phases.0.name=""',
        "phases.0.name=7",
        "batch=" + "[" * 5000,
    ],
)
def test_a_recipe_is_data(setting):
    from imgcodec.training.recipe import read_recipe

    with pytest.raises(UsageError, match="is not valid"):
        read_recipe(ROOT / "recipes" / "photo.toml", [setting])


def test_weights_are_shipped_as_safetensors_only():
    shipped = {
        path.suffix for folder in ("imgcodec", "models") for path in (ROOT / folder).rglob("*") if path.is_file()
    }
    page = {".html", ".css", ".js", ".txt"}  # of `bench --html`, and the licence of what is in it
    page |= {".mjs", ".wasm", ".svg"}  # of `view`
    assert shipped <= {".py", ".safetensors", ".md", ".typed", ".pyc", ".json"} | page  # .json: the table of ids


def test_every_test_that_the_page_on_security_names_is_there():
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    files = set(re.findall(r"`(tests/[\w/]+\.py)", page))
    names = set(re.findall(r"(?:::|`)(test_\w+)`", page))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(files) > 5
    assert len(names) > 10
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert [name for name in names if f"def {name}(" not in tests] == []
