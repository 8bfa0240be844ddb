"""All commands, by name, and how errors in them become a sentence and an exit code.

A command's module is imported when it is asked for, for each brings what it needs: all of them take as long to import
as PIL and NumPy.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn, ParamSpec

import typer

import imgcodec
from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.cli import memory
from imgcodec.cli.options import DEBUG, Loudness, complain, explained, set_loudness
from imgcodec.cli.values import Command, Group

Parameters = ParamSpec("Parameters")

COMMANDS = {
    "compress": "compress.compress",
    "decompress": "decompress.decompress",
    "info": "info.info",
    "verify": "verify.verify",
    "bench": "bench.bench",
    "train": "train.train",
    "view": "view.view",
    "tokenize": "tokenize.tokenize",
    "generate": "generate.generate",
    "search": "search.search",
    "eval": "evaluate.evaluate",
    "doctor": "doctor.doctor",
}
"""In the order of the help; of each its module and function."""

GROUPS = {
    "data": ("Get photographs, and pack them into shards.", ("data.picsum", "data.pack")),
    "models": (
        "The models that are installed, and how they are made and given to others.",
        ("models.list_models", "models.show", "models.verify", "models.export", "models.recipe"),
    ),
}
"""Commands under a common name, as `imgcodec data pack`."""

Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors, and show no progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more: a line for each file.")]


def make_app(words: Sequence[str] = ()) -> typer.Typer:
    """The parser of a command line. It knows all commands, but for words that begin with one: then that alone."""
    is_named = bool(words) and (words[0] in COMMANDS or words[0] in GROUPS)
    app = typer.Typer(
        cls=Group,
        add_completion=not is_named,  # its options stand before a command
        help="A neural image codec: pictures to small .nic files and back.",
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help needs no rich, which takes as long to import as all the rest
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name in words[:1] if is_named else (*COMMANDS, *GROUPS):
        if name in COMMANDS:
            app.command(name, cls=Command)(guarded(_function(COMMANDS[name])))
            continue
        help, functions = GROUPS[name]
        group = typer.Typer(cls=Group, help=help, no_args_is_help=True, rich_markup_mode=None)
        for function in map(_function, functions):
            group.command(function.__name__.partition("_")[0], cls=Command)(guarded(function))
        app.add_typer(group, name=name)
    return app


def command_paths() -> set[str]:
    """All commands: `imgcodec data`, `imgcodec data pack` ..."""
    inner = {
        f"imgcodec {name} {function.partition('.')[2].partition('_')[0]}"
        for name, (_, functions) in GROUPS.items()
        for function in functions
    }
    return {f"imgcodec {name}" for name in (*COMMANDS, *GROUPS)} | inner


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imgcodec {imgcodec.__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A neural image codec: pictures to small .nic files and back."""


def guarded(command: Callable[Parameters, None]) -> Callable[..., None]:
    """The same command, in which no exception but typer's own and an interrupt gets out; with the options that all
    commands have."""

    @functools.wraps(command)
    def run(*args: Any, quiet: bool = False, verbose: bool = False, **kwargs: Any) -> None:
        try:
            set_loudness(Loudness.QUIET if quiet else Loudness.VERBOSE if verbose else Loudness.USUAL)
            if quiet and verbose:
                raise UsageError("Give one of --quiet and --verbose, not both.")
            command(*args, **kwargs)
            flush()
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            mute()
            raise typer.Exit(141) from None
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            if memory.is_short(error):
                mute()
                fail(memory.needs(), 1)
            if isinstance(error, CodecError):
                try:
                    flush()
                except OSError:  # it is what failed
                    mute()
                fail(str(error), error.exit_code)
            if isinstance(error, OSError):
                mute()
            fail(explained(error), 1)
        except BaseException as error:
            if memory.is_short(error):
                fail(memory.needs(), 1)
            raise

    signature = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in (("quiet", Quiet), ("verbose", Verbose))
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    return run


def fail(message: str, exit_code: int) -> NoReturn:
    """One line on stderr, and out."""
    complain(message)
    raise typer.Exit(exit_code)


def flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def mute() -> None:
    """Points stdout to nowhere: what could not be written would be tried again, and complained about, at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _function(place: str) -> Callable[..., None]:
    module, _, name = place.partition(".")
    function: Callable[..., None] = getattr(import_module(f"imgcodec.cli.{module}"), name)
    return function
