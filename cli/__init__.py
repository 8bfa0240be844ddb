"""The command line, one file a command. Here they are registered, and errors become a sentence and an exit code.

Exit codes: 0 done, 1 failure, 2 usage, 3 unreadable input, 4 model missing or damaged, 130 interrupted, 141 nobody
reads the output. Nothing here may import torch, or `imgcodec --help` waits for it: commands import what they need when
they run.
"""

import contextlib
import functools
import gc
import inspect
import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any, NoReturn, ParamSpec

import typer

import imgcodec
from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.cli import (
    bench,
    compress,
    data,
    decompress,
    doctor,
    evaluate,
    generate,
    info,
    memory,
    models,
    search,
    tokenize,
    train,
    verify,
    view,
)
from imgcodec.cli.options import DEBUG, Loudness, complain, explained, set_loudness
from imgcodec.waiting import wait_passively

Parameters = ParamSpec("Parameters")

INTERRUPTED = 130

Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors, and show no progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more: a line for each file.")]


def main() -> None:
    """The entry point of the `imgcodec` command."""
    wait_passively()
    # NumPy's threads, one a core, take addresses and time, and nothing here needs them: torch has its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # torch makes some 100,000 objects when it is imported, and looking for rings among them takes a tenth of a second.
    gc.set_threshold(100_000)
    raw = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):  # PYTHONUNBUFFERED, and then a write may be short and nobody is told
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), sys.stdout.encoding, sys.stdout.errors, line_buffering=True
        )
    for stream in (sys.stdout, sys.stderr):  # which may be of ASCII alone, and names are not
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # What Pillow warns of is told as a note on the picture, where it matters.
    warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        code = app(prog_name="imgcodec", standalone_mode=False)
    except (BrokenPipeError, SystemExit):  # the latter is what typer makes of the former
        mute()
        code = 141
    except OSError as error:  # help and version are printed outside of the guarded commands
        mute()
        complain(f"{error.strerror or error}.")
        code = 1
    except (KeyboardInterrupt, typer.Abort):  # newer releases of typer return the code instead
        code = INTERRUPTED
    except Exception as error:
        # typer has moved its usage errors from click into itself, but they all know how to say what is wrong
        if not hasattr(error, "format_message"):
            raise
        code = getattr(error, "exit_code", 2)
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message(), err=True)
        else:
            from imgcodec.cli.usage import usage_sentence

            complain(usage_sentence(error, sys.argv[1:], commands()))
    if code == INTERRUPTED:
        complain("Interrupted.")
    end(code if isinstance(code, int) else 0)


def commands() -> set[str]:
    """All commands: `imgcodec data`, `imgcodec data pack` ..."""
    root = typer.main.get_command(app)
    groups = getattr(root, "commands", {})
    inner = {
        f"imgcodec {name} {command}" for name, group in groups.items() for command in getattr(group, "commands", ())
    }
    return {f"imgcodec {name}" for name in groups} | inner


def end(code: int) -> NoReturn:
    """Ends the process, where an engine was used at once: it would take 0.4 s to free what the system frees anyway."""
    # training has logs and processes to close
    if not {"torch", "onnxruntime"} & sys.modules.keys() or "imgcodec.training.loop" in sys.modules:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(code)


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


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imgcodec {imgcodec.__version__}")
        raise typer.Exit


app = typer.Typer(
    help="A neural image codec: pictures to small .nic files and back.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help needs no rich, which takes as long to import as all the rest
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A neural image codec: pictures to small .nic files and back."""


def group(name: str, help: str, *functions: Callable[..., None]) -> None:
    """Commands under a common name, as `imgcodec data pack`."""
    commands = typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)
    for function in functions:
        commands.command(function.__name__.partition("_")[0])(guarded(function))
    app.add_typer(commands, name=name)


for function in (compress.compress, decompress.decompress, info.info, verify.verify, bench.bench, train.train):
    app.command()(guarded(function))
app.command()(guarded(view.view))
app.command()(guarded(tokenize.tokenize))
app.command()(guarded(generate.generate))
app.command()(guarded(search.search))
app.command("eval")(guarded(evaluate.evaluate))
app.command()(guarded(doctor.doctor))
group("data", "Get photographs, and pack them into shards.", data.picsum, data.pack)
group(
    "models", "The models that are installed, and how they are made and given to others.",
    models.list_models, models.show, models.verify, models.export, models.recipe,
)  # fmt: skip
