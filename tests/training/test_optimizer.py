"""Optimizers: who trains what at which rate, and a state that goes through a checkpoint."""

import json

import pytest
import torch
from torch import Tensor

from imgcodec.training.loop import Phase
from imgcodec.training.optimizer import load_optimizer, optimizer_state, optimizers, rounded_products

GROUPS = {"path": "slow", "bias": "normal", "prior": "fast", "conv": "matrix"}


def parameters() -> dict[str, Tensor]:
    torch.manual_seed(1)
    conv = torch.randn(40, 5, 2, 2).to(memory_format=torch.channels_last)  # SOAP takes no smaller ones than `MAX_BASIS`
    made = {"path": torch.randn(5, 3), "bias": torch.randn(6), "prior": torch.randn(2, 3), "conv": conv}
    return {name: tensor.requires_grad_() for name, tensor in made.items()}


def test_every_group_has_its_rate() -> None:
    phase = Phase("x", steps=1, rate=2.0, slow=0.25, fast=3.0, matrix_rate=0.5)
    named = parameters()
    adamw, soap = optimizers(phase, GROUPS, named)
    found = {id(p): group["full_rate"] for o in (adamw, soap) for group in o.param_groups for p in group["params"]}
    assert {name: found[id(p)] for name, p in named.items()} == {"path": 0.5, "bias": 2.0, "prior": 6.0, "conv": 0.5}
    assert isinstance(adamw, torch.optim.AdamW)
    assert not isinstance(soap, torch.optim.AdamW)


def test_without_matrices_there_is_adamw_alone() -> None:
    (adamw,) = optimizers(Phase("x", steps=1), dict.fromkeys(GROUPS, "normal"), parameters())
    assert isinstance(adamw, torch.optim.AdamW)
    assert len(adamw.param_groups) == 1


def step(made: list[torch.optim.Optimizer], named: dict[str, Tensor], number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    for parameter in named.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    for optimizer in made:
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step()


@pytest.mark.parametrize("steps", [1, 3, 12])  # SOAP turns its basis at every tenth
def test_a_loaded_optimizer_goes_on_as_the_saved_one(steps: int) -> None:
    phase = Phase("x", steps=1, matrix_rate=1e-3)
    named = parameters()
    made = optimizers(phase, GROUPS, named)
    for number in range(steps):
        step(made, named, number)
    saved = [optimizer_state(optimizer, f"o{i}.") for i, optimizer in enumerate(made)]
    assert all(isinstance(tensor, Tensor) for tensors, _ in saved for tensor in tensors.values())
    others = json.loads(json.dumps([other for _, other in saved]))
    tensors = {name: t.clone().contiguous() for parts, _ in saved for name, t in parts.items()}
    again = {n: p.detach().clone(memory_format=torch.preserve_format).requires_grad_() for n, p in named.items()}
    restored = optimizers(phase, GROUPS, again)
    for i, optimizer in enumerate(restored):
        load_optimizer(optimizer, others[i], tensors, f"o{i}.")
    for number in range(steps, steps + 3):
        step(made, named, number)
        step(restored, again, number)
    for name, parameter in named.items():
        # to the bit where matrices have the same layout in memory, which a checkpoint does not keep; a step is 0.01
        assert torch.allclose(again[name], parameter, rtol=0, atol=1e-5), name


def test_products_are_rounded_for_the_optimizers_and_no_further() -> None:
    before = torch.get_float32_matmul_precision()
    with rounded_products():
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == before == "highest"
