"""The rate that training sees: a distribution, with gradients wherever they are needed; and its rounding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.priors.photo.rate import logistic_bits, rdo_quantize
from imgcodec.priors.photo.tables import MAX_SCALE


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.5, MAX_SCALE])
@pytest.mark.parametrize("mean", [0.0, 0.3, -7.9])
def test_logistic_probabilities_sum_to_one(mean: float, scale: float) -> None:
    values = torch.arange(-3000.0, 3001, dtype=torch.float64)
    bits = logistic_bits(values, torch.tensor(mean, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64))
    assert float(torch.exp2(-bits).sum()) == pytest.approx(1, abs=1e-5)


def test_rate_has_a_gradient_far_out() -> None:
    mean = torch.zeros(1, requires_grad=True)
    scale = torch.zeros(1, requires_grad=True)
    logistic_bits(torch.tensor([400.0]), mean, scale).sum().backward()
    assert torch.isfinite(mean.grad).all()
    assert mean.grad.abs() > 1
    assert scale.grad < -1


@pytest.mark.parametrize(
    ("value", "scale", "moves"),
    [(0.0, -1.0, False), (9.0, -1.0, True), (0.0, 0.5, True), (1e6, MAX_SCALE + 1, False), (0.0, MAX_SCALE + 1, True)],
)
def test_a_scale_out_of_range_gets_only_gradients_that_lead_back(value, scale, moves):
    scale = torch.tensor(scale, requires_grad=True)
    logistic_bits(torch.tensor(value), torch.tensor(0.0), scale).backward()
    assert bool(scale.grad) == moves


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 20))
def test_rounding_takes_the_cheaper_of_the_nearest_and_the_next_towards_zero(seed, weight):
    generator = torch.Generator().manual_seed(seed)
    values, mean = (torch.randn(500, generator=generator) * size for size in (4, 2))
    scale = torch.rand(500, generator=generator) * 1.5
    chosen = rdo_quantize(values, mean, scale, weight)
    nearest = values.round()
    towards_zero = nearest - nearest.sign()

    def cost(tokens):
        return logistic_bits(tokens, mean, scale) + weight * (tokens - values).square()

    assert ((chosen == nearest) | (chosen == towards_zero)).all()
    assert (cost(chosen) <= torch.minimum(cost(nearest), cost(towards_zero)) + 1e-3).all()


def test_without_a_weight_bits_alone_count_and_with_a_large_one_errors():
    values = torch.tensor([-2.4, -0.6, 0.0, 0.2, 1.6, 7.9])
    mean, scale = torch.zeros(6), torch.full((6,), 0.5)
    assert rdo_quantize(values, mean, scale, 0.0).tolist() == [-1, 0, 0, 0, 1, 7]
    assert rdo_quantize(values, mean, scale, 1e4).tolist() == values.round().tolist()
