"""What several commands share: arguments, the model that a file asks for, a sign of life."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError

if TYPE_CHECKING:
    from imgcodec.bitstream.header import Header
    from imgcodec.tokens import TokenCodec

Output = Annotated[
    str | None, typer.Option("--output", "-o", help="Where to write; - is stdout. Default: beside the input.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace an existing output.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")]
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
FileModel = Annotated[
    str | None, typer.Option(help="Name or path of the model. Default: the installed one that the file asks for.")
]

Features = Annotated[
    str | None,
    typer.Option(
        metavar="open_clip:MODEL/FILE", help="Where the weights of a model's CLIP features are.", show_default=False
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Random seed.")]
Split = Annotated[
    str | None,
    typer.Option(metavar="SHARES", help="Divide the pictures at random: train=0.9,valid=0.1.", show_default=False),
]


def codec_for(header: "Header", name: str | None, device: str) -> "TokenCodec":
    """The model that decodes a file. Raises ModelNotFoundError where it is not installed."""
    from imgcodec.codec import load_codec
    from imgcodec.model_file.find import find_model_by_id

    return load_codec(name or find_model_by_id(header.codebook_id), device)


def beside(source: str, suffix: str) -> str:
    """The name of the output for a file, next to it. Raises UsageError for what is no file's name."""
    try:
        return str(Path(source).with_suffix(suffix))
    except ValueError:  # an empty name, a folder like `.`
        raise UsageError(f"{source!r} is not the name of a file.") from None


def on_terminal() -> bool:
    """Whether somebody watches stderr, which may be closed."""
    return sys.stderr is not None and sys.stderr.isatty()


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
    """One line on stderr, if it takes one: whether work is done does not depend on that."""
    with suppress(OSError):
        typer.echo(printable(message), err=True)


def leave(failures: list[CodecError]) -> None:
    """Raises Exit with the code of the worst failure, if there is any."""
    if failures:
        damaged = any(isinstance(failure, InvalidFileError) for failure in failures)
        raise typer.Exit(InvalidFileError.exit_code if damaged else failures[0].exit_code)


def printable(text: str) -> str:
    """Without what a terminal would obey: messages quote names and metadata from untrusted input."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
