"""The optimizers of a phase, AdamW and SOAP, and their state as named tensors for a checkpoint."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from imgcodec.training.soap import SOAP

if TYPE_CHECKING:
    from imgcodec.training.loop import Phase


def optimizers(phase: "Phase", groups: Mapping[str, str], named: Mapping[str, Tensor]) -> list[Optimizer]:
    """AdamW and, where the phase has a rate for matrices, SOAP. Their parameter groups have a `full_rate` each, the
    learning rate without schedule. groups: 'slow', 'normal', 'fast' or 'matrix' by the names in `named`."""
    rates = {"slow": phase.slow * phase.rate, "normal": phase.rate, "fast": phase.fast * phase.rate}
    members: dict[str, list[Tensor]] = {name: [] for name in (*rates, "matrix")}
    for name, parameter in named.items():
        members[groups[name]].append(parameter)
    plain: list[dict[str, Any]] = [{"params": members[n], "full_rate": r} for n, r in rates.items() if members[n]]
    made: list[Optimizer] = []
    if plain:
        made.append(torch.optim.AdamW(plain, betas=(0.9, 0.98), weight_decay=0, fused=True))
    if members["matrix"]:
        matrices: list[dict[str, Any]] = [{"params": members["matrix"], "full_rate": phase.matrix_rate}]
        made.append(SOAP(matrices))
    return made


@contextmanager
def rounded_products() -> Iterator[None]:
    """Matrix products of float32 round what they multiply to bfloat16 or TF32, where the processor is faster with it.
    It is for SOAP's rotations: what they rotate has come out of bfloat16."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def optimizer_state(optimizer: Optimizer, prefix: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state: tensors by name, and the rest for JSON."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    others: dict[str, Any] = {}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            name = f"{prefix}{index}.{key}"
            if isinstance(value, Tensor):
                tensors[name] = value
            else:
                others[name] = value
    others["steps"] = [group.get("step") for group in state["param_groups"]]
    return tensors, others


def load_optimizer(optimizer: Optimizer, others: Mapping[str, Any], tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Gives a new optimizer the state that `optimizer_state` returned."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def place(name: str, value: Any) -> None:
        index, key = name.removeprefix(prefix).split(".")
        optimizer.state[parameters[int(index)]][key] = value

    for name, tensor in tensors.items():
        if name.startswith(prefix):
            parameter = parameters[int(name.removeprefix(prefix).split(".")[0])]
            # fused AdamW takes for granted that a moment has the memory layout of its parameter
            moment = torch.empty_like(parameter) if tensor.shape == parameter.shape else tensor.to(parameter.device)
            place(name, moment.copy_(tensor))
    for name, value in others.items():
        if name.startswith(prefix):
            place(name, value)
    for group, step in zip(optimizer.param_groups, others["steps"], strict=True):
        if step is not None:
            group["step"] = step
