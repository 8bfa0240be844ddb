"""What makes the floating-point side faster: asked for where it helps, and nowhere else."""

import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

import pytest
import torch

from imgcodec import speed


@pytest.fixture(autouse=True)
def _asked_anew():
    """Both answers are remembered for the whole process."""
    for function in (speed.keep_freed_memory, speed.bfloat16_is_native):
        function.cache_clear()
    yield
    for function in (speed.keep_freed_memory, speed.bfloat16_is_native):
        function.cache_clear()


def convolved() -> torch.dtype:
    with torch.inference_mode(), speed.reduced_precision(torch.device("cpu")):
        return torch.conv2d(torch.ones(1, 16, 4, 4), torch.ones(16, 16, 3, 3)).dtype


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_convolutions_are_in_bfloat16_where_the_processor_has_it(monkeypatch, native, dtype):
    monkeypatch.setattr(speed, "bfloat16_is_native", lambda: native)
    assert convolved() == dtype
    assert torch.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)).dtype == torch.float32  # outside of it


@pytest.mark.filterwarnings("ignore:User provided device_type")
def test_other_devices_keep_their_precision(monkeypatch):
    monkeypatch.setattr(speed, "bfloat16_is_native", lambda: True)
    assert not speed.reduced_precision(torch.device("cuda"))._enabled


def test_a_processor_or_a_torch_without_it_says_so(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    assert not speed.bfloat16_is_native()
    speed.bfloat16_is_native.cache_clear()
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not speed.bfloat16_is_native()


def test_a_processor_that_was_told_not_to_use_it_says_so(monkeypatch):
    def refused(*_):
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch, "conv2d", refused)
    assert not speed.bfloat16_is_native()


def test_glibc_is_told_once_and_others_are_told_nothing(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=lambda *setting: told.append(setting)))
    speed.keep_freed_memory()
    speed.keep_freed_memory()
    assert told == [(-3, 2**25), (-1, 2**28), (-8, 1)]
    speed.keep_freed_memory.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())  # as musl
    speed.keep_freed_memory()
    speed.keep_freed_memory.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("there is nothing to tell"))
    speed.keep_freed_memory()
    assert len(told) == 3


def test_a_thread_takes_one_and_leaves_others_theirs():
    before, counted = torch.get_num_threads(), []
    torch.set_num_threads(3)
    try:
        threads = speed.torch_threads(torch.device("cpu"))
        with ThreadPoolExecutor(2, initializer=threads.take_one, initargs=(threads.count(),)) as pool:
            barrier = Barrier(2)
            for _ in range(2):
                counted += pool.map(lambda _: (barrier.wait(), torch.ones(9).sum(), threads.count())[-1], range(2))
            with ThreadPoolExecutor(1) as another:
                assert another.submit(torch.get_num_threads).result() == 3
        assert counted == [1] * 4
        assert threads.count() == 3
    finally:
        torch.set_num_threads(before)
    assert speed.torch_threads(torch.device("meta")).count() == 1
