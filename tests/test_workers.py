"""Work in one process and in several: the same outcomes in the same order, and nothing left of what was stopped."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tasks import open_halving, open_writing, refuse

from imgcodec import workers
from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.rate_control import OutOfReachError
from imgcodec.workers import portable, working_through


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 12])))
def test_every_item_has_its_outcome_in_order(items: list[int]) -> None:
    with working_through(open_halving, items) as outcomes:
        found = list(outcomes)
    assert [outcome.item for outcome in found] == items
    for outcome in found:
        assert (outcome.error is None) == (outcome.item in (0, 2, 4))
        assert outcome.result == ((outcome.item / 2, os.getpid()) if outcome.error is None else None)


def test_several_processes_give_the_same_outcomes_in_the_same_order() -> None:
    items = [0, 2, *range(8), 12, *range(14, 30)]  # each of the two begins with one that tells its process
    with working_through(open_halving, items, 2) as outcomes:
        found = list(outcomes)
    assert [outcome.item for outcome in found] == items
    processes = set()
    for outcome in found:
        if outcome.result is not None:
            half, process = outcome.result
            assert half == outcome.item / 2
            processes.add(process)
        elif outcome.item == 12:
            assert "ZeroDivisionError: twelve" in str(outcome.error)
            assert any("in halve" in note for note in outcome.error.__notes__)  # where it was
        else:
            assert isinstance(outcome.error, InvalidFileError)
            assert str(outcome.error) == f"{outcome.item} is odd."
    assert len(processes) == 2
    assert os.getpid() not in processes


@pytest.mark.parametrize("kind", [*CodecError.__subclasses__(), CodecError])
def test_errors_go_to_another_process_as_they_are(kind) -> None:
    error = kind(41.5, "Out of reach.") if kind is OutOfReachError else kind("A sentence.")
    there = pickle.loads(pickle.dumps(portable(error)))
    assert (type(there), str(there)) == (kind, str(error))
    assert getattr(there, "nearest", None) == getattr(error, "nearest", None)


def test_a_process_that_cannot_be_started_leaves_none_behind(monkeypatch) -> None:
    start, started = workers._start, []

    def start_two(open_task):
        if len(started) == 2:
            raise OSError("no more processes")
        started.append(start(open_task))
        return started[-1]

    monkeypatch.setattr(workers, "_start", start_two)
    with pytest.raises(OSError, match="no more"), working_through(open_halving, [0, 2, 4], 3) as outcomes:
        list(outcomes)
    assert [worker.process.is_alive() for worker in started] == [False, False]


def test_a_process_that_is_killed_costs_its_item_and_no_other() -> None:
    items = [0, 10, 2, 4, 6, 8]
    with working_through(open_halving, items, 2) as outcomes:
        found = {outcome.item: outcome for outcome in outcomes}
    assert list(found) == items
    assert "was killed" in str(found[10].error)
    assert isinstance(found[10].error, CodecError)
    assert all(found[item].result for item in items if item != 10)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_opening_raises_is_raised_here(workers: int) -> None:
    with pytest.raises(UsageError, match=r"No\."), working_through(partial(refuse, "No."), [1, 2], workers) as outcomes:
        list(outcomes)
    with working_through(partial(refuse, "No."), [], workers) as outcomes:
        assert list(outcomes) == []  # nothing is opened for nothing


@pytest.mark.skipif(sys.platform == "win32", reason="processes are ended there without a word")
def test_what_is_stopped_removes_its_half_files(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not os.listdir(tmp_path):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), working_through(open_writing, [str(tmp_path)] * 2, 2) as outcomes:
        next(outcomes)
    thread.join()
    left = os.listdir(tmp_path)
    assert "cleared" in left
    assert not [name for name in left if name.startswith(".")]


PARENT = """
import time
from small_tasks import open_halving
from imgcodec.workers import working_through

if __name__ == "__main__":
    with working_through(open_halving, [0] * 9, 2) as outcomes:
        next(outcomes)
        print("begun", flush=True)
        time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says who lives")
def test_processes_that_wait_end_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        process.kill()
    for _ in range(200):
        if not any(Path(f"/proc/{child}").exists() for child in children):
            break
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
