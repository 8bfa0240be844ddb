"""Tasks for processes of tests, which have to be importable there."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.storage import temporary


def halve(item: int) -> tuple[float, int]:
    """Half of a number and the process that has it; an odd one is an error, and 10 the end of the process."""
    if item % 2:
        raise InvalidFileError(f"{item} is odd.")
    if item == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 12:
        raise ZeroDivisionError("twelve")
    return item / 2, os.getpid()


def open_halving() -> Callable[[int], tuple[float, int]]:
    return halve


def refuse(message: str) -> Callable[[int], int]:
    raise UsageError(message)


def write_for_ever(folder: str) -> None:
    """Keeps a half file until it is stopped."""
    path = Path(folder, temporary.FILE.format(os.getpid()))
    path.touch()
    try:
        while True:
            time.sleep(0.01)
    finally:
        path.unlink()
        Path(folder, "cleared").touch()


def open_writing() -> Callable[[str], None]:
    return write_for_ever
