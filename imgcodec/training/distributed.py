"""Several processes that train one model, each on crops of its own: what torchrun's environment says, and the few words
that the processes exchange besides gradients. With one process, every function here does nothing.

    torchrun --nproc-per-node 2 -m imgcodec train recipes/snac.toml --data ... -o runs/snac
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

PATIENCE = timedelta(hours=3)
"""How long a process waits for the first one, which validates, saves and exports alone."""


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
def processes(device: torch.device) -> Iterator[None]:
    """Joins the other processes, where torchrun has started some, and leaves them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def rank() -> int:
    """The number of this process. Number 0 logs, validates and saves."""
    return distributed.get_rank() if several() else 0


def average_gradients(objective: nn.Module, device: torch.device) -> nn.Module:
    """The same module, whose gradients are averaged over the processes as they are computed (DistributedDataParallel).

    Buffers are left alone: those that training changes are sums over the processes already."""
    if not several():
        return objective
    from torch.nn.parallel import DistributedDataParallel

    index = [device.index] if device.type == "cuda" else None
    # not every step uses every layer: there are scales that take turns, and paths that a phase leaves out at first
    return DistributedDataParallel(objective, index, broadcast_buffers=False, find_unused_parameters=True)


@torch.no_grad()
def share(tensors: list[Tensor]) -> None:
    """Gives every process the tensors of the first one."""
    if several():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


def agree(minutes: float, stop: bool, device: torch.device) -> tuple[float, bool]:
    """The longest running time of all processes, and whether any was asked to stop: they end at the same step."""
    if not several():
        return minutes, stop
    said = torch.tensor([minutes, float(stop)], dtype=torch.float64, device=device)
    distributed.all_reduce(said, distributed.ReduceOp.MAX)
    return float(said[0]), bool(said[1] > 0)


def of_first(number: float, device: torch.device) -> float:
    """What the first process says."""
    if not several():
        return number
    said = torch.tensor(number, dtype=torch.float64, device=device)
    distributed.broadcast(said, 0)
    return float(said)


def wait_for_all(device: torch.device) -> None:
    agree(0.0, False, device)
