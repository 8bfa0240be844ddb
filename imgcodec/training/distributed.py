"""Training one model in several processes, each on crops of its own: the environment of torchrun, and what processes
exchange besides gradients. With one process, every function here does nothing.

    torchrun --nproc-per-node 2 -m imgcodec train snac --data ... -o runs/snac
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from imgcodec.bitstream.errors import UsageError
from imgcodec.devices import resolve_device

CPU = torch.device("cpu")

TIMEOUT = timedelta(hours=3)
"""How long processes wait for the first one, which validates, saves and exports alone."""


def choose_device(device: torch.device | str) -> torch.device:
    """As `resolve_device`; of several GPUs the one of this process. Raises UsageError."""
    found = resolve_device(device)
    if str(found) != "cuda":  # another kind, or a GPU by its number
        return found
    index = int(os.environ.get("LOCAL_RANK", "0"))
    if index >= torch.cuda.device_count():
        raise UsageError(f"There are {torch.cuda.device_count()} GPUs, fewer than processes: lower --nproc-per-node.")
    return torch.device("cuda", index)


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Inside, the processes that torchrun has started form a group, if there are several."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def is_distributed() -> bool:
    """Whether there are several processes."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def rank() -> int:
    """The number of this process, from 0. The first one logs, validates and saves."""
    return distributed.get_rank() if is_distributed() else 0


def data_parallel(objective: nn.Module, device: torch.device) -> nn.Module:
    """The module with gradients that are averaged over the processes as they are computed (DistributedDataParallel).

    Buffers stay as they are: those that training changes are sums over the processes already."""
    if not is_distributed():
        return objective
    from torch.nn.parallel import DistributedDataParallel

    index = [device.index] if device.type == "cuda" else None
    # not every step uses every layer: scales take turns, and a phase may leave out the analysis net at first
    return DistributedDataParallel(objective, index, broadcast_buffers=False, find_unused_parameters=True)


@torch.no_grad()
def broadcast_tensors(tensors: list[Tensor]) -> None:
    """Copies the tensors of the first process to all others."""
    if is_distributed():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


def synchronize(minutes: float, stop: bool, device: torch.device) -> tuple[float, bool]:
    """The longest running time of all processes, and whether any of them should stop, so that all end at one step."""
    if not is_distributed():
        return minutes, stop
    state = torch.tensor([minutes, float(stop)], dtype=torch.float64, device=device)
    distributed.all_reduce(state, distributed.ReduceOp.MAX)
    return float(state[0]), bool(state[1] > 0)


def from_first(number: float, device: torch.device) -> float:
    """The number that the first process has."""
    if not is_distributed():
        return number
    shared = torch.tensor(number, dtype=torch.float64, device=device)
    distributed.broadcast(shared, 0)
    return float(shared)


def wait_for_all(device: torch.device) -> None:
    """Returns when all processes have called it."""
    synchronize(0.0, False, device)
