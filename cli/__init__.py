"""The command line, one file a command. Here it begins and ends; `imgcodec.cli.commands` has the table of commands.

Exit codes: 0 done, 1 failure, 2 usage, 3 unreadable input, 4 model missing or damaged, 130 interrupted, 141 nobody
reads the output. Nothing here may import torch, or `imgcodec --help` waits for it: commands import what they need when
they run.
"""

import contextlib
import gc
import io
import os
import signal
import sys
import threading
import warnings
from typing import NoReturn

import typer

from imgcodec.cli.commands import command_paths, make_app, mute
from imgcodec.cli.options import complain
from imgcodec.waiting import wait_passively

INTERRUPTED = 130


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
        code = make_app(sys.argv[1:])(prog_name="imgcodec", standalone_mode=False)
    except (BrokenPipeError, SystemExit) as error:
        code = error.code if isinstance(error, SystemExit) else 141  # what completion leaves with
        if isinstance(error.__context__, BrokenPipeError):  # typer makes a SystemExit of it
            code = 141
        if code == 141:
            mute()
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

            complain(usage_sentence(error, sys.argv[1:], command_paths()))
    if code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C finds nothing left to stop
        complain("Interrupted.")
    end(code if isinstance(code, int) else 0)


def end(code: int) -> NoReturn:
    """Ends the process, at once where an engine was used or is being loaded: it would take 0.4 s to free what the
    system frees anyway."""
    is_light = not {"torch", "onnxruntime"} & sys.modules.keys() and threading.active_count() == 1
    if is_light or "imgcodec.training.loop" in sys.modules:  # training has logs and processes to close
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(code)
