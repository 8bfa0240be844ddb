"""SOAP, an optimizer that is Adam in the eigenbasis of the gradients' covariance (Vyas et al. 2024).

`pytorch_optimizer.SOAP` does the same (tests/training/test_soap.py compares the two) for one weight after the other, in
products too small to keep a processor busy; they took a third of the time of training. Here weights of one shape are
stacked and computed together, and the moving average of the gradients is kept in the eigenbasis, which saves one
rotation of three.
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

MAX_BASIS = 600
"""Dimensions of up to this size are rotated into the eigenbasis of their gradients, and larger ones left as they
are."""

MAX_STACK = 1 << 20
"""Numbers in a stack, if it has more than one weight. In larger ones every result is memory new from the system."""


class SOAP(Optimizer):
    """Weights have at least two dimensions of more than 1; those of convolutions are (outputs, places, inputs) here.
    Weights without a gradient stay as they are.

    betas: decay of the averages of the gradients, and of their squares and covariances. basis_every: steps after which
    the eigenbases are renewed, by one round of power iteration.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        basis_every: int = 10,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "basis_every": basis_every})
        self.stacks: list[list[_Stack]] = [[] for _ in self.param_groups]

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Changes all weights; the first step finds the bases alone."""
        loss = closure() if closure else None
        for index, group in enumerate(self.param_groups):
            weights = [w for w in group["params"] if w.grad is not None]
            if {id(w) for w in weights} != {id(w) for stack in self.stacks[index] for w in stack.weights}:
                self.stacks[index] = _stacked(weights, self.state)
            beta1, beta2 = group["betas"]
            for stack in self.stacks[index]:
                steps, gradients = int(stack.step[0]), stack.gradients()
                stack.step += 1
                if steps:
                    rate = group["lr"] * (1 - beta2**steps) ** 0.5 / (1 - beta1**steps)
                    stack.change(gradients, rate, beta1, beta2, group["eps"])
                stack.observe(gradients, beta2)
                if steps == 0:
                    stack.find_bases()
                elif steps % group["basis_every"] == 0:
                    stack.renew_bases()
        return loss


class _Stack:
    """Weights of one shape that have made as many steps. Tensors have a matrix, or a cuboid, for each of them:
    (weights, ...).

    step: how many steps. moment, square: averages of the gradients and of their squares, in the eigenbasis.
    covariances, bases: by the dimensions that are rotated, (weights, d, d); eigenvectors are columns.
    """

    def __init__(self, weights: list[Tensor], state: dict[Tensor, dict[str, Any]]) -> None:
        self.weights, self.matrices = weights, [matrix(w) for w in weights]
        first = self.matrices[0]
        self.sizes = {i: n for i, n in enumerate(first.shape, 1) if n <= MAX_BASIS}

        def stack(key: str, like: Tensor) -> Tensor:
            """What the state has under `key`, or zeros."""
            return torch.stack([state[w].get(key, torch.zeros_like(like)) for w in weights])

        squares = {i: first.new_zeros(n, n) for i, n in self.sizes.items()}
        self.step = stack("step", torch.zeros(()))
        self.moment, self.square = stack("moment", first), stack("square", first)
        self.covariances = {i: stack(f"covariance{i}", s) for i, s in squares.items()}
        self.bases = {i: stack(f"basis{i}", s) for i, s in squares.items()}
        for index, weight in enumerate(weights):  # views, so that the optimizer's state is always up to date
            state[weight] = {"step": self.step[index], "moment": self.moment[index], "square": self.square[index]}
            state[weight] |= {f"covariance{i}": c[index] for i, c in self.covariances.items()}
            state[weight] |= {f"basis{i}": b[index] for i, b in self.bases.items()}

    def gradients(self) -> Tensor:
        return torch.stack([matrix(w.grad) for w in self.weights if w.grad is not None])

    def change(self, gradients: Tensor, rate: float, beta1: float, beta2: float, eps: float) -> None:
        """A step of Adam in the eigenbasis."""
        for i, basis in self.bases.items():
            gradients = _times(gradients, i, basis)
        self.moment.lerp_(gradients, 1 - beta1)
        self.square.lerp_(gradients.square(), 1 - beta2)
        update = self.moment / self.square.sqrt().add_(eps)
        for i, basis in self.bases.items():
            update = _times(update, i, basis.mT)
        torch._foreach_add_(self.matrices, list(update.unbind()), alpha=-rate)

    def observe(self, gradients: Tensor, beta2: float) -> None:
        """Updates the covariances."""
        for i, covariance in self.covariances.items():
            if i == gradients.dim() - 1:
                rows = gradients.flatten(1, -2)
                seen = rows.mT @ rows
            else:
                columns = _split(gradients, i)
                seen = (columns @ columns.mT).sum(1)
            covariance.lerp_(seen, 1 - beta2)

    def find_bases(self) -> None:
        """Eigenvectors of the covariances, those of the largest eigenvalues first."""
        for i, covariance in self.covariances.items():
            regular = covariance + 1e-30 * torch.eye(covariance.shape[-1], device=covariance.device)
            self.bases[i].copy_(torch.linalg.eigh(regular)[1].flip(-1))

    def renew_bases(self) -> None:
        """One round of power iteration; averages move into the new bases."""
        for i, basis in self.bases.items():
            power = self.covariances[i] @ basis
            order = (basis * power).sum(1).argsort(1, descending=True)
            new = torch.linalg.qr(power.gather(2, order[:, None].expand_as(power)))[0]
            places = order.view(len(order), *(-1 if d == i else 1 for d in range(1, self.square.dim())))
            self.square.copy_(self.square.gather(i, places.expand_as(self.square)))
            self.moment.copy_(_times(self.moment, i, basis.mT @ new))
            basis.copy_(new)


def _stacked(weights: list[Tensor], state: dict[Tensor, dict[str, Any]]) -> list[_Stack]:
    alike: dict[tuple[torch.Size, float], list[Tensor]] = {}
    for weight in weights:
        alike.setdefault((weight.shape, float(state[weight].get("step", 0))), []).append(weight)
    stacks = []
    for (shape, _), members in alike.items():
        count = max(1, MAX_STACK // shape.numel())
        stacks += [_Stack(members[i : i + count], state) for i in range(0, len(members), count)]
    return stacks


def matrix(weight: Tensor) -> Tensor:
    """A view of a weight, or of its gradient, without dimensions of 1: (outputs, inputs, height, width) -> (outputs,
    places, inputs)."""
    if weight.dim() == 4:
        outputs, inputs, height, width = weight.shape
        weight = weight.permute(0, 2, 3, 1).view(outputs, height * width, inputs)
    return weight.squeeze()


def _split(x: Tensor, dimension: int) -> Tensor:
    """(weights, ...) -> (weights, all before the dimension, the dimension, all behind it)."""
    return x.reshape(len(x), -1, x.shape[dimension], x[0].numel() // x.shape[1 : dimension + 1].numel())


def _times(x: Tensor, dimension: int, matrices: Tensor) -> Tensor:
    """Multiplies a dimension of each entry of the stack x by a matrix of its own, matrices (weights, d, d)."""
    if dimension == x.dim() - 1:
        return (x.flatten(1, -2) @ matrices).view(x.shape)
    return (matrices.mT[:, None] @ _split(x, dimension)).view(x.shape)
