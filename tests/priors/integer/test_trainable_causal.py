"""What is trained is what runs, also of the layers with the channels last."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from imgcodec.priors.integer import constants, exact_causal, trainable
from imgcodec.priors.integer.trainable import calibrate
from imgcodec.priors.integer.trainable_causal import CausalAttention, Dense, Embedding, Gate

UNIT = 2.0**-constants.FRACTION
seeds = st.integers(0, 2**32 - 1)


def in_units(x):
    """Real numbers -> the integers that stand for them between layers."""
    return (x / UNIT).round()


@given(seeds, st.integers(-2, 8), st.booleans())
def test_dense(seed, fraction, positive):
    torch.manual_seed(seed)
    layer = Dense(6, 5, positive)
    nn.init.normal_(layer.weight, 0, float(torch.rand(1)))
    layer.quantized = True
    layer.operand.fraction = fraction
    unit = torch.exp2(-trainable.weight_fraction(layer.weight).flatten() - fraction)
    layer.bias.data = (torch.randn(5) / unit).round() * unit
    x = torch.randn(2, 3, 6).mul(300).round() * UNIT
    assert torch.equal(in_units(layer(x)), layer.export()(in_units(x)))


@given(seeds, st.floats(0.01, 20))
def test_embedding(seed, deviation):
    torch.manual_seed(seed)
    layer = Embedding(10, 4, uses=2, deviation=deviation)
    index = torch.randint(0, 10, (3, 5))
    assert torch.equal(layer(index), layer.weight[index])
    layer.quantized = True
    integers = layer.export()
    assert torch.equal(in_units(layer(index)), integers(index))
    assert 0 < integers.output_bound() < constants.LIMIT
    assert (layer.fraction() <= constants.FRACTION).all()
    again = Embedding(10, 4, uses=2)
    again.restore(integers)
    assert again.quantized
    assert torch.equal(again(index), layer(index))
    layer(index).sum().backward()
    assert torch.equal(layer.weight.grad, torch.bincount(index.flatten(), minlength=10)[:, None].expand(10, 4).float())


@given(st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=20))
def test_gate(numbers):
    x = (torch.tensor(numbers[: len(numbers) // 2 * 2]) / UNIT).round() * UNIT
    gate = Gate()
    first, second = x.chunk(2)
    assert torch.equal(gate(x), first.tanh() * second.sigmoid())
    gate.quantized = True
    assert torch.equal(in_units(gate(x)), gate.export()(in_units(x)))
    again = Gate()
    again.restore(exact_causal.ExactGate())
    assert torch.equal(again(x), gate(x))


@pytest.fixture
def attention():
    torch.manual_seed(1)
    layer = CausalAttention(16, 2, 6)
    nn.init.normal_(layer.merge.weight, 0, 0.25)
    return layer.requires_grad_(False)


@pytest.mark.parametrize("positions", [1, 6, 15])
def test_attention_gives_one_after_the_other_what_it_gives_at_once(attention, positions):
    x = torch.randn(3, positions, 16)
    together, cache = attention(x), attention.empty_cache(x[:, 0], positions)
    for at in range(positions):
        torch.testing.assert_close(attention.step(x[:, at], cache, at), together[:, at], rtol=1e-4, atol=1e-5)


def test_attention_is_close_to_its_integers(attention):
    """Not equal: scores are rounded to sixteenths, weights to 255ths, and mixed values down."""
    x = torch.randn(3, 15, 16)
    calibrate(attention, lambda: attention(x))
    expected = attention(x)
    error = attention.export()(in_units(x)) * UNIT - expected
    assert float(error.std()) < 0.05 * float(expected.std())


def test_restored_attention_is_exported_to_the_same_integers(attention):
    x = torch.randn(3, 15, 16)
    calibrate(attention, lambda: attention(x))
    integers = attention.export()
    again = CausalAttention(16, 2, 6)
    again.restore(deepcopy(integers))
    assert torch.equal(again.export()(in_units(x)), integers(in_units(x)))
    assert again.export().fractions == integers.fractions
