"""What somebody at a terminal sees of work that takes long: bars on stderr, and nothing in a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imgcodec.cli.options import on_terminal, working

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


@contextmanager
def bar(*columns: "ProgressColumn | str") -> "Iterator[Progress]":
    """A bar on stderr that is gone at the end. What is printed meanwhile appears above it; what is written to stdout
    stays on stdout."""
    from rich.console import Console
    from rich.progress import Progress

    to_terminal = sys.stdout is not None and sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=to_terminal) as progress:
        yield progress


@contextmanager
def sharing(what: str, is_known: bool = True) -> Iterator[Callable[[float], None] | None]:
    """A bar with percent and time left for one picture. Gives what is to be called with each share of the work that is
    done; None where nobody watches, or where it is not known how much there will be."""
    if not on_terminal():
        yield None
        return
    if not is_known:
        with working(what):
            yield None
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with bar(*columns) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.advance(task, share)


class Tally:
    """The bar of many files: how many, megapixels a second, the ratio of bytes, and the time left, which is told by the
    bytes of the inputs that are done."""

    def __init__(self, progress: "Progress | None", what: str, files: int, bytes: int) -> None:
        self.progress = progress
        self.files, self.pixels, self.read, self.written = 0, 0, 0, 0
        self.all_files = files
        if progress is not None:
            self.task = progress.add_task(what, total=bytes, state=f"0/{files}")

    def add(self, bytes: int, pixels: int = 0, read: int = 0, written: int = 0) -> None:
        """A file is done. bytes: of its input, as they were counted before. pixels, read, written: where something was
        made of it."""
        self.files += 1
        self.pixels, self.read, self.written = self.pixels + pixels, self.read + read, self.written + written
        if self.progress is None:
            return
        seconds = self.progress.tasks[self.task].elapsed or 0
        state = f"{self.files}/{self.all_files}"
        if seconds and self.pixels:
            state += f"  {self.pixels / 1e6 / seconds:.2f} MP/s"
        if ratio := self.ratio:
            state += f"  {ratio}"
        self.progress.update(self.task, advance=bytes, state=state)

    @property
    def ratio(self) -> str:
        """Of the larger side to the smaller one, as 12.3:1; empty where nothing is known."""
        if not self.read or not self.written:
            return ""
        return f"{max(self.read, self.written) / min(self.read, self.written):.1f}:1"


@contextmanager
def tallying(what: str, files: int, bytes: int) -> Iterator[Tally]:
    """The bar of many files; without a terminal it only counts."""
    if not on_terminal():
        yield Tally(None, what, files, bytes)
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with bar(*columns) as progress:
        yield Tally(progress, what, files, max(bytes, 1))
