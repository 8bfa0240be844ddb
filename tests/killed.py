"""Work that is killed, as by kill -9, at a line of the library: at the same moment on every machine, however busy."""

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from types import FrameType, ModuleType

# A process that has imported what takes long is forked for each piece of work.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", "in_process", "imgcodec.codec", "imgcodec.training.recipe"])


def killed_at(module: ModuleType, line: int, work: Callable[..., object], *arguments: object) -> bool:
    """Does `work(*arguments)` in a process that dies before the `line`-th line that it runs of the module, counted from
    1. Returns whether it died; otherwise it has come to its end, without an exception."""
    process = PROCESSES.Process(target=_work, args=(module.__file__, line, work, arguments))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _work(file: str, last: int, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    passed = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal passed
        if frame.f_code.co_filename != file:
            return None
        passed += event == "line"
        if passed == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    work(*arguments)
