"""What several commands share: arguments, what is said and how loudly, a sign of life."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import Annotated

import typer

from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.cli import memory

DEBUG = "IMGCODEC_DEBUG"
"""The environment variable with which unexpected errors show where they were raised."""

Force = Annotated[bool, typer.Option("--force", "-f", help="Replace an existing output.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")]
Engine = Annotated[
    str,
    typer.Option(metavar="auto|onnx|torch", help="What computes: ONNX Runtime or PyTorch; auto takes what is faster."),
]
Strip = Annotated[
    bool, typer.Option("--strip", help="Leave out what is not needed to show the picture: EXIF, XMP, DPI.")
]
Quality = Annotated[
    float | None,
    typer.Option(
        "--quality",
        "-q",
        min=0,
        max=100,
        help="0 (small) to 100 (good); may be fractional. Default: 50, for models that have it.",
        show_default=False,
    ),
]
Tune = Annotated[
    str | None,
    typer.Option(
        metavar="psnr|visual", help="Optimise for: psnr or visual. Default: visual, or psnr with --target-psnr."
    ),
]
Effort = Annotated[
    int,
    typer.Option(
        "--effort",
        "-e",
        min=1,
        max=9,
        metavar="1..9",
        help="Encoder effort: more takes longer, for a better picture in about the same bytes. Photo models only.",
    ),
]
MaxPixels = Annotated[
    int, typer.Option(min=1, metavar="N", help="Refuse pictures of more pixels. Default: 2^28.", show_default=False)
]
MODEL = "Name or path of the model, or hf://owner/name."
FileModel = Annotated[str | None, typer.Option(help=f"{MODEL} Default: the installed one that the file asks for.")]

Features = Annotated[
    str | None,
    typer.Option(
        metavar="open_clip:MODEL/FILE", help="Where the weights of a model's CLIP features are.", show_default=False
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Take the files in folders, too, and in folders in these.")
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes that work at once, of one thread each.")
]
Json = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file on stdout.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Random seed.")]
Split = Annotated[
    str | None,
    typer.Option(metavar="SHARES", help="Divide the pictures at random: train=0.9,valid=0.1.", show_default=False),
]


class Loudness(IntEnum):
    """How much a command says on stderr. Errors are always said."""

    QUIET = 0
    USUAL = 1
    VERBOSE = 2


_loudness = Loudness.USUAL  # of the command that runs: a process runs one


def set_loudness(loudness: Loudness) -> None:
    """Of everything that is said from now on."""
    global _loudness
    _loudness = loudness


def is_quiet() -> bool:
    """Whether nothing but errors is to be said."""
    return _loudness == Loudness.QUIET


def on_terminal() -> bool:
    """Whether somebody watches stderr, which may be closed, and wants to see progress."""
    return _loudness > Loudness.QUIET and sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def working(what: str) -> Iterator[None]:
    """A moving bar and the seconds on a terminal, nothing in a pipe."""
    if not on_terminal():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what.replace("[", r"\["), total=None)
        yield


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
    """As `working`, for work of `total` pieces; gives what is to be called after each of them."""
    if not on_terminal():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what.replace("[", r"\["), total=total)
        yield lambda: progress.advance(task)


def say(message: str) -> None:
    """One line on stderr, unless the command is to be quiet."""
    if _loudness > Loudness.QUIET:
        _line(message)


def detail(message: str) -> None:
    """One line on stderr, for those who asked for more."""
    if _loudness == Loudness.VERBOSE:
        _line(message)


def complain(message: str) -> None:
    """An error, as one line on stderr."""
    _line(f"imgcodec: {sentence(message)}")


def _line(message: str) -> None:
    with suppress(OSError):  # whether work is done does not depend on whether stderr takes a line
        typer.echo(printable(message), err=True)


def sentence(message: str) -> str:
    """On one line, with a full stop."""
    line = " ".join(message.split())
    return line if line.endswith((".", "?", "!")) else f"{line}."


def leave(failures: Sequence[Exception]) -> None:
    """Raises Exit with the code of the worst failure, if there is any."""
    if failures:
        damaged = any(isinstance(failure, InvalidFileError) for failure in failures)
        other = getattr(failures[0], "exit_code", CodecError.exit_code)
        raise typer.Exit(InvalidFileError.exit_code if damaged else other)


def explained(error: BaseException) -> str:
    """What went wrong, for people."""
    if memory.is_short(error):
        return memory.needs()
    if isinstance(error, CodecError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:  # a full disk under a log, for example
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}."
    return f"Unexpected {type(error).__name__}: {error} (set {DEBUG}=1 to see where)."


def printable(text: str) -> str:
    """Without what a terminal would obey: messages quote names and metadata from untrusted input."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
