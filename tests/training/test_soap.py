"""SOAP on stacks of weights: what a package's SOAP does for one weight after the other."""

import copy

import pytest
import torch
from pytorch_optimizer import SOAP as PackagedSOAP
from torch import Tensor

from imgcodec.training.soap import MAX_BASIS, SOAP, gram_cholesky, matrix


def weights(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    made = [torch.randn(shape, generator=generator) for shape in shapes]
    return [(w.to(memory_format=torch.channels_last) if w.dim() == 4 else w).requires_grad_() for w in made]


def gradient(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Of a quadratic function, with noise."""
    noise = torch.randn(weight.shape, generator=generator)
    return torch.empty_like(weight).copy_(3 * weight.detach() + noise)


@pytest.mark.parametrize(
    "shapes",
    [[(7, 7)], [(6, 6, 1, 1), (5, 4, 3, 2), (6, 6, 1, 1)], [(9, 1, 3, 3)], [(3, MAX_BASIS + 1), (3, MAX_BASIS + 1)]],
)
def test_it_changes_weights_as_the_package_does(shapes: list[tuple[int, ...]]) -> None:
    ours = weights(*shapes)
    theirs = [matrix(w).detach().clone().requires_grad_() for w in ours]
    packaged = PackagedSOAP(
        theirs, lr=0.01, betas=(0.95, 0.95), weight_decay=0, precondition_frequency=10, max_precondition_dim=MAX_BASIS
    )
    optimizer, generator = SOAP(ours, lr=0.01), torch.Generator().manual_seed(2)
    for _ in range(25):
        for our, their in zip(ours, theirs, strict=True):
            our.grad = gradient(our, generator)
            their.grad = matrix(our.grad).clone()
        optimizer.step()
        packaged.step()
    for our, their, start in zip(ours, theirs, weights(*shapes), strict=True):
        assert (our - start).abs().max() > 0.1
        assert torch.allclose(matrix(our), their, rtol=0, atol=1e-3), (matrix(our) - their).abs().max()


def test_a_weight_without_a_gradient_stays_as_it_is_and_others_go_on_as_alone() -> None:
    together, alone = weights((6, 6), (6, 6)), weights((6, 6))
    optimizers = SOAP(together, lr=0.01), SOAP(alone, lr=0.01)
    generator = torch.Generator().manual_seed(2)
    for step in range(30):
        together[0].grad = gradient(together[0], generator)
        alone[0].grad = together[0].grad.clone()
        together[1].grad = gradient(together[1], generator) if 5 <= step < 12 else None
        still = together[1].detach().clone()
        for optimizer in optimizers:
            optimizer.step()
        # its first step finds the basis alone
        assert torch.equal(together[1], still) == (not 6 <= step < 12), step
    assert torch.allclose(together[0], alone[0], rtol=0, atol=1e-4)


def test_a_copy_goes_on_alike() -> None:
    """State is found again though stacks hold it."""
    ours = weights((6, 6), (6, 6))
    optimizer, generator = SOAP(ours, lr=0.01), torch.Generator().manual_seed(2)
    for step in range(26):
        if step == 13:
            others = [w.detach().clone().requires_grad_() for w in ours]
            another = SOAP(others, lr=0.01)
            another.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for weight in ours:
            weight.grad = gradient(weight, generator)
        optimizer.step()
        if step >= 13:
            for weight, other in zip(ours, others, strict=True):
                other.grad = weight.grad
            another.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, others, strict=True))


@pytest.mark.parametrize("condition", [1e2, 1e6, 1e10])
def test_products_make_the_bases_that_reflections_make(condition: float) -> None:
    """What a GPU computes: of a covariance that has changed by half since its eigenvectors were found."""
    generator = torch.Generator().manual_seed(1)
    size, count = 64, 3
    eigenvalues = torch.logspace(0, -torch.tensor(condition).log10().item(), size)
    vectors = torch.linalg.qr(torch.randn(count, size, size, generator=generator))[0]
    before = (vectors * eigenvalues) @ vectors.mT
    seen = (vectors * eigenvalues.sqrt()) @ torch.randn(count, size, 40, generator=generator)
    covariance = before / 2 + seen @ seen.mT / 80
    basis = torch.linalg.eigh(before)[1].flip(-1)
    made = gram_cholesky(covariance, basis)
    assert torch.allclose(made.mT @ made, torch.eye(size).expand(count, -1, -1), atol=1e-5)
    reflected = torch.linalg.qr(covariance.double() @ basis.double())[0].float()
    certain = eigenvalues > 1e-8  # below that is the billionth that is added
    assert ((made * reflected).sum(1).abs()[:, certain] > 0.99).all()
    assert (made - basis).abs().max() > 0.01


def test_products_of_what_never_had_a_gradient_are_bases() -> None:
    covariance = torch.zeros(2, 6, 6)
    covariance[1, :3, :3] = torch.eye(3)
    made = gram_cholesky(covariance, torch.eye(6).expand(2, -1, -1))
    assert torch.allclose(made, torch.eye(6).expand(2, -1, -1))


def test_a_product_whose_columns_depend_on_each_other_leaves_the_basis_as_it_is() -> None:
    basis = torch.linalg.qr(torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1)))[0]
    covariance = torch.full((1, 6, 6), float("nan"))
    assert torch.allclose(gram_cholesky(covariance, basis), basis, atol=1e-6)
