"""What README and the pages show works: their Python runs, and their command lines do what they say."""

import glob
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import invoke
from PIL import Image

import imgcodec
from imgcodec.bitstream import container
from imgcodec.model_file.find import LARGEST_FILE
from imgcodec.model_file.model import save_model
from imgcodec.model_file.torch_tensors import as_torch
from imgcodec.model_file.untrusted import read_tensors

ROOT = Path(__file__).parents[1]
SCRIPT = Path(sys.executable).with_name("imgcodec")
GOLDEN = ROOT / "tests" / "golden"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}
LINKED = [
    ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *ROOT.glob("docs/*.md"),
    *ROOT.glob("models/*.md"),
]  # fmt: skip
MADE = {ROOT / "docs" / "cli.md"}  # by docs/site.py
PYTHON = [(name, block) for name, text in PAGES.items() for block in re.findall(r"(?ms)^```python\n(.*?)^```$", text)]
COMMANDS = {
    line: name
    for name, text in PAGES.items()
    for line in re.findall(r"(?m)^    (?:\.venv/bin/)?imgcodec (\S.*?)(?: +#.*)?$", text)
    if name != "README.md"  # whose commands are typed one after the other
    and not line.startswith("data picsum")  # which needs the network
    and "s3://" not in line
    and " the library" not in line  # a line of the tree in docs/house.md
}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A folder with all that the pages name: pictures, files whole, hurt and cut, recipes, and models of one's own."""
    folder = tmp_path_factory.mktemp("docs")
    photograph = Image.open(ROOT / "examples" / "photo.png").convert("RGB").crop((250, 130, 538, 354))
    noise = np.random.default_rng(1).normal(0, 60, (224, 288, 3))  # so that there is a file of 40 KB
    photograph = Image.fromarray((np.asarray(photograph) + noise).clip(0, 255).astype(np.uint8))
    for name in ("photo", "picture"):
        photograph.save(folder / f"{name}.png")
    for name in ("dir", "pictures", "TEST", "dev", "FOLDER", "out"):
        (folder / name).mkdir()
        photograph.crop((100, 100, 148, 140)).save(folder / name / "a.png")
    for name in ("open-0.tar", "open-1.tar"):
        (folder / name).touch()
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    for name in ("mine", "photo"):
        (folder / "runs" / name).mkdir(parents=True)
        tensors, metadata = read_tensors(GOLDEN / "tiny.safetensors", LARGEST_FILE)
        # which gives it a digest
        save_model(folder / "runs" / name / "photo.safetensors", as_torch(tensors), metadata)

    data = imgcodec.compress(photograph)
    (folder / "a.nic").write_bytes(imgcodec.compress(photograph, model="semantic"))
    (folder / "photo.nic").write_bytes(data)
    (folder / "out" / "photo.nic").write_bytes(data)
    (folder / "picture.nic").write_bytes(imgcodec.load_model(GOLDEN / "tiny.safetensors").compress(photograph))
    entry = container.read(data).entries[1]
    inside = entry.offset + entry.size // 2
    (folder / "half.nic").write_bytes(data[:inside])
    (folder / "hurt.nic").write_bytes(data[:inside] + bytes([data[inside] ^ 1]) + data[inside + 1 :])
    return folder


@pytest.fixture
def folder(prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_there_is_something_to_test():
    assert len(PYTHON) >= 1
    assert len(COMMANDS) > 25


@pytest.mark.parametrize("block", [block for _, block in PYTHON], ids=[name for name, _ in PYTHON])
def test_python_of_the_pages(folder, block):
    exec(compile(block, "page", "exec"), {"x": torch.rand(2, 3, 64, 96)})  # the only name that a page may take as given


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_of_the_pages(folder, monkeypatch, line):
    command, *words = shlex.split(line)
    match command:
        case "compress":
            remove(folder, "*.nic")
            if "-e" in words:  # which takes a second per 4,000 pixels on some processors
                photograph = Image.open(folder / "photo.png")
                photograph.crop((0, 0, 96, 64)).save(folder / "photo.png")
        case "decompress":
            remove(folder, "*.nic.png")
        case "verify":
            for name in ("hurt", "half", "picture"):  # of models that are not installed
                remove(folder, f"{name}.nic")
            words = [name for word in words for name in (sorted(glob.glob(word)) if "*" in word else [word])]
        case "train":
            shutil.rmtree(folder / "runs")
            monkeypatch.setattr("imgcodec.training.recipe.train", lambda *_: Path("trained.safetensors"))
        case "search":
            assert invoke("compress", "pictures", "-o", "store", "--model", "semantic")[0] == 0
        case "bench":
            monkeypatch.setattr("imgcodec.evaluation.bench._TRIES", 1)
        case "view":
            (folder / "index.html").write_text("<!doctype html>")  # in place of the page, which needs Node to be built
            monkeypatch.setattr("imgcodec.viewing.page_folder", lambda: folder)
            monkeypatch.setattr("imgcodec.cli.view.wait", lambda: None)
        case "doctor":
            monkeypatch.setattr("imgcodec.doctor.SIDE", 64)
    if "--scale" in words:
        (folder / "photo.nic").write_bytes(imgcodec.compress("photo.png", model="svqvae"))
    before = set(folder.rglob("*"))
    code, told, complained = invoke(command, *words)
    assert code == (3 if "--allow-damaged" in words else 0), complained
    if command in ("compress", "decompress", "generate", "tokenize", "data"):
        assert set(folder.rglob("*")) > before
    else:
        assert told + complained


def test_the_five_commands_of_the_readme_typed_one_after_the_other(prepared, tmp_path):
    lines = re.search(r"(?s)\n## Five commands\n.*?\n\n((?:    [^\n]*\n)+)", PAGES["README.md"])[1].splitlines()
    assert len(lines) == 5
    shutil.copy(prepared / "photo.png", tmp_path)
    for line in lines:
        _, *words = shlex.split(line, comments=True)
        done = subprocess.run([SCRIPT, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "back.png").is_file()
    assert 19_000 < (tmp_path / "small.nic").stat().st_size <= 20_000


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    targets = {(page.parent / link).resolve() for link in links}
    assert [target for target in targets - MADE if not target.exists()] == []


def remove(folder, pattern):
    for path in folder.glob(pattern):
        path.unlink()
