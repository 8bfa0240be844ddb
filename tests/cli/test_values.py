"""Plain values are read here, and what they are is what typer would have made of them."""

import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from imgcodec.cli.values import Command, Group


def app_of(**parsers: type) -> tuple[typer.Typer, list[object]]:
    app, seen = typer.Typer(cls=Group if parsers else None, rich_markup_mode=None, add_completion=False), list[object]()

    @app.callback()
    def whole() -> None: ...

    @app.command(**parsers)
    def work(
        names: list[str],
        whole: Annotated[int, typer.Option(min=1, max=9)] = 3,
        real: Annotated[float | None, typer.Option(min=0, max=100)] = None,
        free: float = 0.5,
        text: str | None = None,
        named: Annotated[str, typer.Option()] = "x",
        flag: bool = False,
    ) -> None:
        seen.append((names, whole, real, free, text, named, flag))

    return app, seen


@pytest.mark.parametrize(
    "words",
    [
        "a",
        "a b c",
        "",
        "a --whole 9 --real 100 --text y --flag",
        "a --whole 10",
        "a --whole 0",
        "a --whole 4.0",
        "a --whole -1",
        "a --whole +4",
        "a --whole 1_0",
        "a --whole ٣",
        "a --real 0",
        "a --real 99.75 --free 12",
        "a --real 100.001",
        "a --real .5",
        "a --real 1e1",
        "a --real nan",
        "a --free -3.5",
        "a --free inf",
        "a --free x",
        "a --whole",
        "a --named -",
        "a --nothing",
        "--help",
    ],
)
def test_values_are_those_of_typer(words: str) -> None:
    ours, usual = ([*app_of(**kind), None] for kind in ({"cls": Command}, {}))
    for found in (ours, usual):
        done = CliRunner().invoke(found[0], ["work", *words.split()])
        found[2] = done.exit_code, done.output
    assert ours[1:] == usual[1:]
    assert [list(map(type, seen)) for seen in ours[1]] == [list(map(type, seen)) for seen in usual[1]]


def test_plain_values_bring_no_pydantic() -> None:
    """Which newer releases of typer import for the first value that they are asked for."""
    import subprocess

    code = (
        "import sys; from imgcodec.cli.commands import make_app;"
        "line = ['compress', 'no.png', '-q', '7.5', '-e', '2', '--device', 'cpu'];"
        "make_app(line)(line, standalone_mode=False); print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert "no.png" in done.stderr
