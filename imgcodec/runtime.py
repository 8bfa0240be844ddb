"""ONNX Runtime: graphs that run on the CPU. It is imported when the first graph runs, and later than this."""

import os
from collections.abc import Callable, Mapping
from threading import Lock, local
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from imgcodec.graphs.onnx_file import Graph
from imgcodec.parallel import Threads, cores

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Release 1.32 collects on Linux what is run with it, for its maker, in the user's cache folder and by a thread that a
# forked child waits for when it ends.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_forked = False
_of_thread = local()
_open_sessions: "WeakSet[InferenceSession]" = WeakSet()


def thread_count() -> int:
    """How many threads compute: OMP_NUM_THREADS, as for torch, else one for each core that this process may run on; one
    in a forked child, and in a thread that takes one."""
    if _forked or getattr(_of_thread, "takes_one", False):
        return 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return cores()


def take_one_thread(before: int) -> None:
    """See `Threads`."""
    _of_thread.takes_one = True


THREADS = Threads(thread_count, take_one_thread)

Made = tuple["InferenceSession", list[str], list[str]]
"""A session, and the names of its inputs and outputs."""


class Session:
    """A graph that runs. It is made ready when it runs for the first time: with all threads, with one, in a forked
    child.

    Several threads may run it at the same time.
    """

    def __init__(self, make: Callable[[], Graph], is_optimized: bool) -> None:
        """make: gives the graph. is_optimized: whether ONNX Runtime may change it to an equal one; that takes longer
        than it saves in a small picture."""
        self._make, self._is_optimized = make, is_optimized
        self._made: dict[tuple[int, int], Made] = {}  # by process and number of threads
        self._lock = os.getpid(), Lock()

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs of the graph. feeds: its inputs by name; others are not looked at."""
        session, inputs, outputs = self._ready()
        found = session.run(None, {name: feeds[name] for name in inputs})
        return dict(zip(outputs, found, strict=True))

    def make_ready(self) -> None:
        """What takes time before it runs for the first time in this process, with as many threads as this one has."""
        self._ready()

    def _ready(self) -> Made:
        key = os.getpid(), thread_count()
        return self._made.get(key) or self._open_once(key)

    def _open_once(self, key: tuple[int, int]) -> Made:
        """Once, whoever asks first: a known-answer test, or a picture."""
        if self._lock[0] != os.getpid():  # in a forked child, where that of the parent may be taken for ever
            self._lock = os.getpid(), Lock()
        with self._lock[1]:
            if key not in self._made:
                self._made[key] = self._open()
            return self._made[key]

    def _open(self) -> Made:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as `imgcodec.waiting` says of OpenMP
        options.enable_cpu_mem_arena = False  # each session would keep the most that it ever took
        options.log_severity_level = 4  # its errors are raised, and need not be printed besides
        if not self._is_optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        graph = self._make()
        session = onnxruntime.InferenceSession(
            graph.to_bytes(), options, providers=["CPUExecutionProvider"],
            enable_fallback=0,  # to the same provider, with lines on stdout that say so
        )  # fmt: skip
        _open_sessions.add(session)
        return session, list(graph.inputs), list(graph.outputs)


def number(value: float) -> NDArray[np.float32]:
    """An input without dimensions."""
    return np.array(value, np.float32)


def _compute_alone() -> None:
    """In a forked child: sessions have one thread from now on. Those of the parent are never freed, also not when the
    child ends: they would wait for threads that it has not."""
    global _forked
    _forked = True
    kept = np.empty(1, object)  # Python does not look for rings in arrays: one that holds itself stays
    kept[0] = kept, *_open_sessions
    _open_sessions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_compute_alone)
