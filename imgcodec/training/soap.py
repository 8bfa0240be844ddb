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
from torch.nn.functional import normalize
from torch.optim import Optimizer

from imgcodec.training.cuda_graph import Recorded

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
        self.recorded: list[Recorded | None] = [None for _ in self.param_groups]
        self.records = False
        """Whether steps are recorded (`imgcodec.training.cuda_graph`): all gradients stay where they are."""

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
                self.stacks[index], self.recorded[index] = _stacked(weights, self.state), None
            self._advance(index, group)
            for stack in self.stacks[index]:
                if stack.steps == 0:
                    stack.find_bases()
            _renew_bases([s for s in self.stacks[index] if s.steps and s.steps % group["basis_every"] == 0])
            for stack in self.stacks[index]:
                stack.steps += 1
                stack.step += 1
        return loss

    def _advance(self, index: int, group: dict[str, Any]) -> None:
        """Changes the weights of a group, and observes their gradients."""
        stacks = self.stacks[index]
        beta1, beta2 = group["betas"]
        for stack in stacks:
            steps = stack.steps
            stack.rate.fill_(group["lr"] * (1 - beta2**steps) ** 0.5 / (1 - beta1**steps) if steps else 0.0)

        def advance() -> list[Tensor]:
            for stack in stacks:
                gradients = stack.gradients()
                if stack.steps:
                    stack.change(gradients, beta1, beta2, group["eps"])
                stack.observe(gradients, beta2)
            return []

        if self.records and self.recorded[index] is None and all(stack.steps for stack in stacks):
            self.recorded[index] = Recorded(advance, [], warm_up=0)
        recorded = self.recorded[index]
        if recorded is None:
            advance()
        else:
            recorded()


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
        self.steps, self.rate = int(self.step[0]), first.new_zeros(())
        self.moment, self.square = stack("moment", first), stack("square", first)
        self.covariances = {i: stack(f"covariance{i}", s) for i, s in squares.items()}
        self.bases = {i: stack(f"basis{i}", s) for i, s in squares.items()}
        for index, weight in enumerate(weights):  # views, so that the optimizer's state is always up to date
            state[weight] = {"step": self.step[index], "moment": self.moment[index], "square": self.square[index]}
            state[weight] |= {f"covariance{i}": c[index] for i, c in self.covariances.items()}
            state[weight] |= {f"basis{i}": b[index] for i, b in self.bases.items()}

    def gradients(self) -> Tensor:
        return torch.stack([matrix(w.grad) for w in self.weights if w.grad is not None])

    def change(self, gradients: Tensor, beta1: float, beta2: float, eps: float) -> None:
        """A step of Adam in the eigenbasis, at `rate`."""
        for i, basis in self.bases.items():
            gradients = _times(gradients, i, basis)
        self.moment.lerp_(gradients, 1 - beta1)
        self.square.lerp_(gradients.square(), 1 - beta2)
        update = self.moment / self.square.sqrt().add_(eps)
        for i, basis in self.bases.items():
            update = _times(update, i, basis.mT)
        torch._foreach_sub_(self.matrices, list(update.mul_(self.rate).unbind()))

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

    def sort_bases(self) -> None:
        """Puts eigenvectors of the largest eigenvalues first again, as far as they are known."""
        for i, basis in self.bases.items():
            order = (basis * (self.covariances[i] @ basis)).sum(1).argsort(1, descending=True)
            basis.copy_(basis.gather(2, order[:, None].expand_as(basis)))
            places = order.view(len(order), *(-1 if d == i else 1 for d in range(1, self.square.dim())))
            for average in (self.moment, self.square):
                average.copy_(average.gather(i, places.expand_as(average)))

    def turn(self, i: int, basis: Tensor) -> None:
        """Moves into a new basis, but for the squares, which have no sense in between."""
        self.moment.copy_(_times(self.moment, i, self.bases[i].mT @ basis))
        self.bases[i].copy_(basis)


def _renew_bases(stacks: list[_Stack]) -> None:
    """One round of power iteration for all bases of the stacks, those of one size together."""
    alike: dict[int, list[tuple[_Stack, int]]] = {}
    for stack in stacks:
        stack.sort_bases()
        for i, size in stack.sizes.items():
            alike.setdefault(size, []).append((stack, i))
    for members in alike.values():
        covariances = torch.cat([stack.covariances[i] for stack, i in members])
        bases = torch.cat([stack.bases[i] for stack, i in members])
        new = _orthonormal_products(covariances, bases)
        for (stack, i), basis in zip(members, new.split([len(stack.weights) for stack, _ in members]), strict=True):
            stack.turn(i, basis)


def _orthonormal_products(covariances: Tensor, bases: Tensor) -> Tensor:
    """The columns of covariance @ basis, (weights, n, n), made orthonormal from the first to the last."""
    if not bases.is_cuda:
        return torch.linalg.qr(covariances @ bases)[0]
    return gram_cholesky(covariances, bases)


def gram_cholesky(covariances: Tensor, bases: Tensor) -> Tensor:
    """As a QR decomposition of covariance @ basis, but for signs; the basis itself, where columns depend on each other
    too much.

    A GPU takes far longer for reflections, one after the other, than for products: so here are Gram's matrix and
    Cholesky's decomposition, twice, in double precision, for Gram's matrix has the square of the condition. To the
    covariance is added a billionth of its mean eigenvalue, for what never had a gradient.
    """
    mean = covariances.diagonal(dim1=1, dim2=2).mean(1).double()[:, None, None]
    basis = bases.double()
    result = covariances.double() @ basis + (1e-9 * mean + 1e-300) * basis
    for _ in range(2):
        result = normalize(result, dim=1, eps=1e-300)
        lower, failed = torch.linalg.cholesky_ex(result.mT @ result)
        result = torch.linalg.solve_triangular(lower.mT, result, upper=True, left=False)
        result = torch.where((failed != 0)[:, None, None], basis, result)
    return result.float()


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
