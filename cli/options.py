"""What several commands share: arguments, the model that a file asks for, a sign of life."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.limits import Limits

if TYPE_CHECKING:
    from imgcodec.bitstream.cursor import Slices
    from imgcodec.bitstream.header import Header
    from imgcodec.tokens import TokenCodec

Parsed = TypeVar("Parsed")

PICTURES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".dib", ".ppm", ".pgm",
    ".pbm", ".pnm", ".avif", ".avifs", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".qoi",
})  # fmt: skip
"""Suffixes of pictures that can be read."""

MOST_TO_TELL = 2**26
"""Bytes of a file that are read to tell whether it is a picture."""

Force = Annotated[bool, typer.Option("--force", "-f", help="Replace an existing output.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")]
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


def nic_beside(source: str) -> str:
    """The name of the .nic file of a picture, next to it: only the suffix of a picture is replaced. Raises UsageError
    for what is no file's name."""
    path = _file(source)
    return str(path.with_suffix(".nic") if path.suffix.lower() in PICTURES else path.with_name(f"{path.name}.nic"))


def picture_beside(source: str) -> str:
    """The name of the picture of a .nic file, next to it and next to the original: photo.nic.png of photo.nic. Raises
    UsageError for what is no file's name."""
    path = _file(source)
    return str(path.with_name(f"{path.name}.png"))


def _file(name: str) -> Path:
    path = Path(name)
    if path.name in ("", ".."):  # of an empty name and of a folder like `.`
        raise UsageError(f"{name!r} is not the name of a file.")
    return path


def read_nic(source: str, limits: Limits, parse: Callable[[bytes], Parsed]) -> Parsed:
    """What `parse` makes of a .nic file. InvalidFileErrors get its name, and a picture is told from damage."""
    from imgcodec.storage import files

    data = files.read(source, limits.file_bytes)
    with named(source, data):
        return parse(data)


@contextmanager
def named(source: str, data: "Slices") -> Iterator[None]:
    """InvalidFileErrors of a .nic file get its name, and a picture is told from damage."""
    from imgcodec.storage import files

    try:
        yield
    except InvalidFileError as error:
        from imgcodec.pictures.io import is_image

        name = files.name_of(source)
        if is_image(data[0 : min(len(data), MOST_TO_TELL)]):
            raise InvalidFileError(
                f"{name} is a picture, not a .nic file; imgcodec compress makes one of it."
            ) from None
        raise InvalidFileError(f"{name}: {error}") from None


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


def sentence(message: str) -> str:
    """On one line, with a full stop."""
    line = " ".join(message.split())
    return line if line.endswith((".", "?", "!")) else f"{line}."


def leave(failures: list[CodecError]) -> None:
    """Raises Exit with the code of the worst failure, if there is any."""
    if failures:
        damaged = any(isinstance(failure, InvalidFileError) for failure in failures)
        raise typer.Exit(InvalidFileError.exit_code if damaged else failures[0].exit_code)


def printable(text: str) -> str:
    """Without what a terminal would obey: messages quote names and metadata from untrusted input."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
