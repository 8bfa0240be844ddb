"""Commands on many files: all are worked on, whatever becomes of single ones, and those that failed are listed."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import typer

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.cli.options import DEBUG, complain, detail, explained, leave, say, sentence
from imgcodec.cli.progress import tallying
from imgcodec.storage import files, folders, pairs, remote
from imgcodec.storage.pairs import Pair

if TYPE_CHECKING:
    from imgcodec.workers import Outcome


class Made(Protocol):
    """What a task says of a file that it made."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def input_bytes(self) -> int | None: ...
    @property
    def lines(self) -> list[str]: ...
    @property
    def summary(self) -> str: ...
    @property
    def is_whole(self) -> bool: ...
    def to_json(self) -> dict[str, object]: ...


AnyMade = TypeVar("AnyMade", bound=Made)
Result = TypeVar("Result")


def is_many(sources: Sequence[str], recursive: bool) -> bool:
    """Whether a command line is of more than one file, by its words alone."""
    return recursive or len(sources) > 1


def inside(output: str | None, source: str, beside: Callable[[str], str]) -> str | None:
    """The output for one input where `-o FOLDER/` names a folder that is there; any other output as it is."""
    if output is None or source == files.STANDARD or not pairs.is_folder_name(output):
        return output
    if not is_folder(output):
        return output
    (item,) = pairs.pair(pairs.inputs([source], False, lambda name: True, say), output, beside)
    return item.output


def is_folder(output: str) -> bool:
    """Whether an output is a folder that is there, or an address that is named as one."""
    return pairs.is_folder_name(output) if remote.is_remote(output) else os.path.isdir(output)


@dataclass(frozen=True)
class Asked:
    """Many files, as a command line names them. sources: files, and with `recursive` folders. output: a folder, None
    for beside the inputs. force, jobs, as_json: the options of these names."""

    sources: Sequence[str]
    recursive: bool
    output: str | None
    force: bool
    jobs: int
    as_json: bool


@dataclass(frozen=True)
class Making(Generic[AnyMade]):
    """What a command makes of each file.

    name: for the bar. beside, is_wanted: see `pairs.pair` and `pairs.inputs`. kind: the first bytes of outputs.
    open_task: gives what makes an output. working: who runs the task, as `working_through` does, or None for that.
    """

    name: str
    beside: Callable[[str], str]
    is_wanted: Callable[[str], bool]
    kind: bytes
    open_task: Callable[[], Callable[[Pair], AnyMade]]
    working: "Callable[..., AbstractContextManager[Iterator[Outcome[Pair, AnyMade]]]] | None" = None


def make_many(asked: Asked, making: Making[AnyMade]) -> None:
    """Makes an output of every input, beside it or in the folder. What is done already is left out.

    Exits with 1 if there were failures. Raises UsageError before anything is written where outputs would collide.
    """
    from imgcodec.workers import working_through

    todo = _planned(asked, making)
    for item in todo.done:
        detail(f"{item.output}: done already.")
        if asked.as_json:
            typer.echo(json.dumps({"input": item.source, "output": item.output, "done": True}))
    failures: list[tuple[Pair, Exception]] = []
    for item in todo.blocked:
        failures.append((item, CodecError(f"{item.output} exists already; -f replaces it.")))
        print_failure(*failures[-1], asked.as_json)
    sizes = dict(zip(todo.todo, pairs.sizes_of([item.source for item in todo.todo]), strict=True))
    made = 0
    with (
        tallying(making.name, len(sizes), sum(sizes.values())) as tally,
        (making.working or working_through)(making.open_task, todo.todo, asked.jobs) as outcomes,
    ):
        for outcome in outcomes:
            error = _told(outcome, asked.as_json)
            if error is not None:
                failures.append((outcome.item, error))
            else:
                made += 1
            if (result := outcome.result) is None:
                tally.add(sizes[outcome.item])
            else:
                pixels = result.width * result.height
                tally.add(sizes[outcome.item], pixels, result.input_bytes or 0, result.bytes)
    told = [f"{made} file{'' if made == 1 else 's'} made"]
    if made and tally.ratio:
        told[0] += f", {tally.read} bytes to {tally.written}, {tally.ratio}"
    if todo.done:
        told.append(f"{len(todo.done)} done already")
    if failures:
        told.append(f"{len(failures)} failed:")
    say("; ".join(told) if failures else f"{'; '.join(told)}.")
    list_failures(failures)


def _planned(asked: Asked, making: Making[AnyMade]) -> pairs.Plan:
    """What is to do, and the folder for it. Raises UsageError for outputs that cannot be meant."""
    output = asked.output
    if output == files.STANDARD:
        raise UsageError("Several files do not go to stdout; name a folder with -o.")
    if output is not None and not is_folder(output) and (pairs.is_nic(output) or pairs.is_picture(output)):
        raise UsageError(f"Several files go to a folder, and {output} is the name of a file.")
    given = pairs.inputs(asked.sources, asked.recursive, making.is_wanted, say)
    todo = pairs.plan(pairs.pair(given, output, making.beside), asked.force, making.kind)
    if output is not None and not remote.is_remote(output):
        folders.make_folder(Path(output))
    return todo


def _told(outcome: "Outcome[Pair, AnyMade]", as_json: bool) -> Exception | None:
    """Says what became of a file. Returns why it counts as failed, None where it does not."""
    result = outcome.result
    if result is None:
        assert outcome.error is not None
        if os.environ.get(DEBUG) and not isinstance(outcome.error, CodecError):
            raise outcome.error
        print_failure(outcome.item, outcome.error, as_json)
        return outcome.error
    tell(result, as_json, detail)
    return None if result.is_whole else CodecError("It is damaged or cut, and only what is left was written.")


def tell(made: Made, as_json: bool, show: Callable[[str], None]) -> None:
    """Says of a file that was made what there is to say; its summary by `show`, or all of it as JSON."""
    for line in made.lines:
        say(line)
    if as_json:
        typer.echo(json.dumps(made.to_json(), allow_nan=False))
    else:
        show(made.summary)


def print_failure(item: Pair, error: Exception, as_json: bool) -> None:
    """What a program reads of a file that failed."""
    if as_json:
        typer.echo(json.dumps({"input": item.source, "output": item.output, "error": explained(error)}))


def list_failures(failures: Sequence[tuple[Pair, Exception]]) -> None:
    """A line for each file that failed. Exits with 1 if there are any."""
    for item, error in failures:
        message = explained(error)
        complain(message if item.source in message or item.output in message else f"{item.source}: {message}")
    if failures:
        raise typer.Exit(CodecError.exit_code)


def inspect_many(
    sources: Sequence[str],
    recursive: bool,
    open_task: Callable[[], Callable[[str], Result]],
    jobs: int,
    what: str,
    show: Callable[[str, Result | Exception], None],
) -> None:
    """Calls `show` with every .nic file and what the task found of it, or the error that there was; errors are listed
    at the end. Exits with the code of the worst of them."""
    from imgcodec.workers import working_through

    names = [item.source for item in pairs.inputs(sources, True, pairs.is_nic, say)] if recursive else list(sources)
    if jobs > 1 and files.STANDARD in names:
        raise UsageError("Standard input is read by one process alone: leave -j out.")
    sizes = dict(zip(names, pairs.sizes_of(names), strict=True))
    failures: list[tuple[str, Exception]] = []
    with (
        tallying(what, len(names), sum(sizes.values())) as tally,
        working_through(open_task, names, jobs) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.error is not None:
                if os.environ.get(DEBUG) and not isinstance(outcome.error, CodecError):
                    raise outcome.error
                failures.append((outcome.item, outcome.error))
                show(outcome.item, outcome.error)
            else:
                assert outcome.result is not None
                show(outcome.item, outcome.result)
            tally.add(sizes[outcome.item])
    for name, error in failures:
        message = sentence(explained(error))
        complain(message if name in message else f"{name}: {message}")
    leave([error for _, error in failures])
