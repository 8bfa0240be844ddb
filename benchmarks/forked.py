"""Commands in forks of this process: how they end where they are killed, and where the clock jumps. Needs fork."""

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imgcodec import cli

TEN_YEARS = 10 * 365 * 86400.0  # seconds


@dataclass(frozen=True)
class Done:
    """How a command ended. code: its exit code, or None where it was killed."""

    code: int | None
    stderr: str
    seconds: float


Kill = Callable[[int], None]
"""Waits for a moment, and kills a process by its id. What has ended stays known until its parent asks."""


def command(
    *words: object, kill: Kill | None = None, prepare: Callable[[], None] | None = None, clock: bool = False
) -> Done:
    """Runs `imgcodec WORDS` in a fork. prepare: called in the fork before. clock: whether it jumps."""
    with tempfile.TemporaryFile() as stderr:
        start = time.monotonic()
        child = os.fork()
        if child == 0:
            os.dup2(stderr.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv = ["imgcodec", *map(str, words)]
            if prepare:
                prepare()
            if clock:
                wrong_clock()
            try:
                cli.main()
            finally:  # never back into this script
                os._exit(70)
        if kill:
            kill(child)
        _, status = os.waitpid(child, 0)
        seconds = time.monotonic() - start
        stderr.seek(0)
        said = stderr.read().decode(errors="replace")
    return Done(None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), said, seconds)


def kill_after(seconds: float, by: signal.Signals) -> Kill:
    def kill(child: int) -> None:
        time.sleep(seconds)
        os.kill(child, by)

    return kill


def kill_while_it_writes(folder: Path, by: signal.Signals) -> Kill:
    """As soon as there is a new temporary file, be it this process's or another's."""
    before = set(temporaries(folder))

    def kill(child: int) -> None:
        while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if set(temporaries(folder)) - before:
                os.kill(child, by)
                return
            time.sleep(0.0005)

    return kill


def wrong_clock() -> None:
    """Makes the clock of this process jump; monotonic clocks never do."""
    right, right_ns, moment = time.time, time.time_ns, random.Random()
    time.time = lambda: right() + moment.uniform(-TEN_YEARS, TEN_YEARS)
    time.time_ns = lambda: right_ns() + int(moment.uniform(-TEN_YEARS, TEN_YEARS) * 1e9)


def set_wrong_time(path: Path, rng: random.Random) -> None:
    when = time.time() + rng.uniform(-TEN_YEARS, TEN_YEARS)
    try:
        os.utime(path, (when, when))
    except FileNotFoundError:  # another process's temporary file
        return


def temporaries(folder: Path) -> list[Path]:
    return list(folder.glob(".imgcodec-*"))
