"""Work on many items, in this process or in several: the results come in the order of the items.

    items ──► process 1 ──► outcomes, as they are done ──► in order ──► the caller
          └─► process 2 ──┘

A process opens what it needs once, a model for example, and then takes one item after the other. It computes with one
thread: two processes of one thread each do more than one process of two.

Processes are started anew ("spawn"), for a forked one would share the parent's threads and locks. Each has a pipe of
its own to the parent: when that is gone, killed perhaps, the pipe ends, and so does the process.
"""

import contextlib
import os
import signal
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from imgcodec.bitstream.errors import CodecError
from imgcodec.waiting import wait_passively

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Items for each process that may be done before an earlier one is: their results are kept until then."""

PATIENCE = 10.0
"""Seconds that an interrupted process has to clear away what it was writing."""

_PROCESSES = get_context("spawn")


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of an item: a result, or the error that there was."""

    item: Item
    result: Result | None = None
    error: Exception | None = None


@contextmanager
def working_through(
    open_task: Callable[[], Callable[[Item], Result]], items: Sequence[Item], workers: int = 1
) -> Iterator[Iterator[Outcome[Item, Result]]]:
    """Gives an iterator over the outcomes of `open_task()(item)`, in the order of the items.

    With one worker all is done in this process. With more, each calls `open_task` for itself, which has to be
    picklable, as items and results have. Whatever an item raises is its outcome; what `open_task` raises is raised
    here. Where the caller leaves early, by an exception or not, processes stop at once and leave no half files behind.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield _here(open_task, items)
        return
    team: list[_Worker] = []
    try:
        yield _in_processes(open_task, items, workers, team)
    finally:
        _dismiss(team)


def _here(open_task: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Outcome[Item, Result]]:
    task = open_task() if items else None
    for item in items:
        assert task is not None
        yield outcome_of(task, item)


def outcome_of(task: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
    """What becomes of an item in this process."""
    try:
        return Outcome(item, task(item))
    except Exception as error:
        return Outcome(item, error=error)


@dataclass
class _Worker:
    """A process, and the place of the item that it works on; None while it waits for one."""

    process: BaseProcess
    connection: "Connection[Any, Any]"
    place: int | None = None


def _in_processes(
    open_task: Callable[[], Callable[[Item], Result]], items: Sequence[Item], workers: int, team: list[_Worker]
) -> Iterator[Outcome[Item, Result]]:
    for _ in range(workers):
        team.append(_start(open_task))  # one by one: those that run are dismissed if the next one cannot be started
    waiting = deque(range(len(items)))
    done: dict[int, Outcome[Item, Result]] = {}
    turn = 0
    while turn < len(items):
        for worker in team:
            if worker.place is None and waiting and waiting[0] < turn + AHEAD * workers:
                worker.place = waiting.popleft()
                with contextlib.suppress(OSError):  # it is gone, which shows when its answer is read
                    worker.connection.send(items[worker.place])
        busy = {worker.connection: index for index, worker in enumerate(team) if worker.place is not None}
        for connection in wait(list(busy)):
            index = busy[connection]  # type: ignore[index]
            worker = team[index]
            assert worker.place is not None
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                answer = Outcome(
                    items[worker.place],
                    error=CodecError("The process that worked on it was killed; perhaps there is too little memory."),
                )
                worker.connection.close()
                team[index] = _start(open_task)
            if isinstance(answer, Exception):
                raise answer
            done[worker.place], worker.place = answer, None
        while turn in done:
            yield done.pop(turn)
            turn += 1


def _start(open_task: Callable[[], Any]) -> _Worker:
    """A new process. Ctrl-C at a terminal goes to all processes; it is for the parent to say what becomes of them."""
    ours, theirs = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_serve, args=(theirs,), daemon=True)
    with _interrupts_blocked():
        process.start()
    theirs.close()
    with contextlib.suppress(OSError):
        ours.send(open_task)
    return _Worker(process, ours)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """What is started here never gets SIGINT; what came in the meantime, this process gets afterwards."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # raises what came just before, having blocked it
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _dismiss(team: list[_Worker]) -> None:
    """Ends all processes: at once those that wait, after the removal of half files those that work."""
    try:
        for worker in team:
            if worker.place is not None:
                worker.process.terminate()
            worker.connection.close()
        for worker in team:
            worker.process.join(PATIENCE)
    finally:
        for worker in team:
            if worker.process.is_alive():
                worker.process.kill()


def prepare_process() -> None:
    """Of this process, which works on items and has not computed yet: one thread, and no warnings of Pillow, which
    become notes on the picture."""
    os.environ["OMP_NUM_THREADS"] = "1"
    wait_passively()
    warnings.filterwarnings("ignore", module=r"PIL\b")


def _serve(connection: "Connection[Any, Any]") -> None:
    """The life of a process: it gets a function that opens the task, then items, and answers with outcomes; with an
    exception where the task cannot be opened."""
    prepare_process()
    if sys.platform != "win32":
        signal.signal(signal.SIGTERM, _stop)
    with contextlib.suppress(KeyboardInterrupt, EOFError, OSError):  # the latter two: the parent is gone
        try:
            task = connection.recv()()
        except EOFError:
            raise
        except Exception as error:
            connection.send(portable(error))
            return
        while True:
            outcome = outcome_of(task, connection.recv())
            if outcome.error is not None:
                outcome = Outcome(outcome.item, error=portable(outcome.error))
            connection.send(outcome)
    os._exit(0)  # it would take 0.4 s to free what the system frees anyway


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def portable(error: Exception) -> Exception:
    """An error that can be sent to another process, with its traceback as a note."""
    where = "".join(traceback.format_exception(error))
    if not isinstance(error, CodecError | OSError | MemoryError | RuntimeError):
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.__cause__ = error.__context__ = None
    error.add_note(where)
    return error
