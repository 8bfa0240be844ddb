"""Sessions of graphs: made when they are needed, by several threads and in forked children."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from imgcodec import runtime
from imgcodec.graphs.onnx_file import Graph
from imgcodec.runtime import THREADS, Session, number, thread_count

X = np.arange(3, dtype=np.float32)


def sums(made=None):
    """x + 1 and x + 2."""
    if made is not None:
        made.append(os.getpid())
    graph = Graph("sums")
    x = graph.input("x", "float32", ["n"])
    for step in (1, 2):
        graph.output(f"y{step}", graph.add("Add", x, graph.constant(np.float32(step))), "float32", ["n"])
    return graph


def test_a_session_is_made_once_and_when_it_runs():
    made = []
    session = Session(lambda: sums(made), is_optimized=True)
    assert not made
    for _ in range(3):
        found = session({"x": X, "another": X})
        assert list(found) == ["y1", "y2"]
        assert np.array_equal(found["y2"], X + 2)
    assert len(made) == 1


def test_a_session_that_cannot_be_made_is_an_error_and_nothing_on_stdout(monkeypatch, capfd):
    """ONNX Runtime would print there that it tries again, in the midst of a file that is written to stdout."""
    tried = []

    def fail(self, *_):
        tried.append(self)
        raise RuntimeError("pthread_create failed")

    monkeypatch.setattr("onnxruntime.InferenceSession._create_inference_session", fail)
    with pytest.raises(RuntimeError, match="pthread_create"):
        Session(sums, is_optimized=True)({"x": X})
    assert len(tried) == 1
    assert capfd.readouterr() == ("", "")


def test_threads_share_a_session():
    session = Session(sums, is_optimized=False)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda i: session({"x": X + i})["y1"], range(50)))
    assert all(np.array_equal(y, X + i + 1) for i, y in enumerate(found))


def test_a_thread_that_takes_one_has_a_session_of_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    made = []
    session = Session(lambda: sums(made), is_optimized=False)
    session({"x": X})
    with ThreadPoolExecutor(2, initializer=THREADS.take_one, initargs=(3,)) as threads:
        assert set(threads.map(lambda _: THREADS.count(), range(4))) == {1}
        found = list(threads.map(lambda i: session({"x": X + i})["y1"], range(50)))
    assert all(np.array_equal(y, X + i + 1) for i, y in enumerate(found))
    assert THREADS.count() == 3
    assert len(made) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    session({"x": X})
    assert len(made) == 2, "one thread is one thread"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_makes_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    session = Session(sums, is_optimized=False)
    session({"x": X})
    child = os.fork()
    if not child:
        signal.alarm(60)  # which ends a child that waits for threads that are not there
        try:
            is_right = np.array_equal(session({"x": X})["y1"], X + 1) and thread_count() == 1
            os._exit(0 if is_right else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert thread_count() == 2


def test_threads_are_as_many_as_the_user_says(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count() == 3
    for wanted in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
        assert 1 <= thread_count() <= (os.cpu_count() or 1)
    monkeypatch.setattr(runtime, "_forked", True)
    assert thread_count() == 1


def test_a_number_has_no_dimensions():
    assert number(2.5).shape == ()
    assert number(2.5).dtype == np.float32


def test_nothing_is_sent_unless_the_user_says_so():
    code = "import os; from imgcodec import runtime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    unset = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    for environment, wanted in ((unset, "1"), (unset | {"ORT_DISABLE_TELEMETRY": "0"}, "0")):
        line = [sys.executable, "-c", code]
        assert subprocess.run(line, env=environment, capture_output=True, check=True, text=True).stdout == f"{wanted}\n"
