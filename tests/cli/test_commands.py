"""What a command imports: modules take parts of a second, and that is all that a small picture takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgcodec.cli.commands import COMMANDS, GROUPS, command_paths, make_app

GOLDEN = Path(__file__).parents[1] / "golden"

IMPORTED = """
import json, sys
before = set(sys.modules)
from imgcodec import cli
cli.end = lambda code: print(json.dumps([code, sorted(set(sys.modules) - before)]))
cli.main()
"""

NEVER = {
    "torch", "scipy", "rich", "pydantic", "matplotlib", "jinja2", "fsspec", "huggingface_hub", "ray", "multiprocessing",
    "email", "tomllib", "numpy.ma", "importlib.metadata", "importlib.resources", "onnx",
}  # fmt: skip
"""What none of these commands needs for one file of the profile photo."""

OTHERS = {
    "imgcodec.workers", "imgcodec.cluster", "imgcodec.api", "imgcodec.retrieval", "imgcodec.evaluation",
    "imgcodec.training", "imgcodec.exact.tile", "imgcodec.metrics.ssimulacra2", "PIL.DdsImagePlugin",
}  # fmt: skip

NO_ENGINE = {"onnxruntime", "PIL"}


def imported(folder: Path, *words: object) -> set[str]:
    line = [sys.executable, "-c", IMPORTED, *map(str, words)]
    done = subprocess.run(line, cwd=folder, capture_output=True, check=True, text=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noise = Image.effect_noise((90, 70), 60).resize((180, 140)).convert("RGB")
    noise.save(tmp_path / "a.png")
    Image.new("RGB", (180, 140), "red").save(tmp_path / "b.jpg")
    (tmp_path / "a.nic").write_bytes((GOLDEN / "gray.nic").read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (("compress", "a.png", "-fo", "c.nic", "--model", GOLDEN / "tiny.safetensors", "-q", "30.5"), OTHERS),
        (("compress", "b.jpg", "-o", "c.nic", "--model", GOLDEN / "tiny.safetensors", "--no-exact"), OTHERS),
        (("decompress", "a.nic", "-fo", "c.ppm", "--model", GOLDEN / "tiny.safetensors"), OTHERS),
        (("info", "a.nic"), OTHERS - {"imgcodec.workers"} | NO_ENGINE),
        (("--help",), NO_ENGINE | {"imgcodec.api"}),
        (("--version",), NO_ENGINE | {"imgcodec.api"}),
    ],
)
def test_commands_import_no_more_than_they_need(folder: Path, words: tuple[object, ...], without: set[str]) -> None:
    found = imported(folder, *words)
    if words[0] in ("info", "--help", "--version"):  # info may be of many files, and the others know all commands
        found -= {"multiprocessing", "email", "importlib.resources"}
    assert found & (NEVER | without) == set()


def test_a_command_brings_no_other(folder: Path) -> None:
    modules = imported(folder, "info", "a.nic")
    assert "imgcodec.cli.info" in modules
    assert not {f"imgcodec.cli.{place.partition('.')[0]}" for place in COMMANDS.values()} & modules - {
        "imgcodec.cli.info"
    }


def test_the_table_names_what_there_is() -> None:
    """A command that is asked for alone is the one that the help of all has."""
    import typer

    def parser(app: typer.Typer) -> dict[str, object]:
        return typer.main.get_command(app).commands

    whole = parser(make_app())
    assert list(whole) == [*COMMANDS, *GROUPS]
    paths = {f"imgcodec {name}" for name in whole}
    for name, command in whole.items():
        [(alone, found)] = parser(make_app([name, "x"])).items()
        assert (alone, found.help, [p.opts for p in found.params]) == (
            name,
            command.help,
            [p.opts for p in command.params],
        )
        paths |= {f"imgcodec {name} {inner}" for inner in getattr(command, "commands", ())}
    assert command_paths() == paths


@pytest.mark.parametrize("words", [[], ["--help"], ["-V"], ["compres"], ["--quiet", "compress"]])
def test_other_words_know_all_commands(words: list[str]) -> None:
    assert len(make_app(words).registered_commands) == len(COMMANDS)
