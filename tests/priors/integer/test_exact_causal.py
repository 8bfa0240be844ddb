"""The integer layers of the raster priors give what plain Python integers give, all at once and step by step."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from priors.integer.products import LIMIT, random_numbers, random_product
from reader import raster_prior as page

from imgcodec.priors.integer import exact_causal
from imgcodec.priors.integer.constants import BoundError
from imgcodec.priors.integer.exact_causal import (
    MAX_CONTEXT,
    ExactCausalAttention,
    ExactDense,
    ExactEmbedding,
    ExactGate,
    causal_mask,
)

seeds = st.integers(0, 2**32 - 1)
fractions = st.integers(-8, 8)


def on_page(layers, config=None, **operands):
    """Layers by name, as the page takes them; operands: the fractions of those that have several."""
    tensors = {f"{n}.{m}": t.long().tolist() for n, layer in layers.items() for m, t in layer.state_dict().items()}
    units = {n: layer.fraction for n, layer in layers.items() if hasattr(layer, "fraction")}
    return page.Prior(config or {}, units | operands, tensors)


@given(seeds, st.integers(1, 8), st.integers(1, 6), fractions, st.booleans())
def test_dense(seed, inputs, outputs, fraction, positive):
    rng = np.random.default_rng(seed)
    largest = 255 if positive else 127
    layer = ExactDense(*random_product(rng, (outputs, inputs, 1, 1), largest), fraction, positive)
    x = random_numbers(rng, (2, 3, inputs))
    result = layer(x)
    assert float(result.abs().max()) <= layer.output_bound() < LIMIT
    name = "hidden" if positive else "mix"
    prior = on_page({name: layer})
    assert result.flatten(0, 1).tolist() == [prior.dense(name, row) for row in x.flatten(0, 1).long().tolist()]


@given(seeds, st.integers(1, 4))
def test_embedding(seed, uses):
    rng = np.random.default_rng(seed)
    layer = ExactEmbedding(
        torch.from_numpy(rng.integers(-127, 128, (9, 3))), torch.from_numpy(rng.integers(-10, 1, 3)), uses
    )
    index = torch.from_numpy(rng.integers(0, 9, (uses, 5)))
    rows = layer(index)
    prior = on_page({"tokens": layer})
    assert rows.tolist() == [[prior.table("tokens", i) for i in row] for row in index.tolist()]
    assert float(rows.sum(0).abs().max()) <= layer.output_bound()


def attention(rng, heads, size, context):
    """Random weights; numbers between its layers of up to 2**14 are inside the bounds."""
    width = heads * size
    project = ExactDense(
        *random_product(rng, (3 * width, width, 1, 1), 127, smallest_shift=4), int(rng.integers(-8, 9)), False
    )
    merge = ExactDense(*random_product(rng, (width, width, 1, 1), 127), int(rng.integers(-8, 9)), False)
    return ExactCausalAttention(project, merge, tuple(rng.integers(0, 9, 3).tolist()), heads, context)


@given(seeds, st.integers(1, 2), st.integers(1, 4), st.integers(1, 7), st.integers(1, 6))
def test_attention(seed, heads, size, context, positions):
    rng = np.random.default_rng(seed)
    layer = attention(rng, heads, size, context)
    assert layer.output_bound() < LIMIT
    x = random_numbers(rng, (2, positions, heads * size), 2**14)
    together = layer(x)
    cache = layer.empty_cache(x[:, 0], positions)
    for at in range(positions):
        assert torch.equal(layer.step(x[:, at], cache, at), together[:, at])
    config = {"width": heads * size, "heads": heads, "context": context}
    prior = on_page({"a.project": layer.project, "a.merge": layer.merge}, config, a=layer.fractions)
    assert together.tolist() == [prior.attend("a", states) for states in x.long().tolist()]


def test_a_position_sees_itself_and_those_before_it_in_its_context():
    seen = causal_mask(5, 3, torch.device("cpu"))
    assert seen.int().tolist() == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1]]


@given(st.lists(st.integers(1 - LIMIT, LIMIT - 1) | st.integers(-3000, 3000), min_size=2, max_size=20))
def test_gate(numbers):
    numbers = numbers[: len(numbers) // 2 * 2]
    found = ExactGate()(torch.tensor(numbers, dtype=torch.float32))
    assert found.tolist() == page.gate(numbers)
    assert float(found.abs().max()) <= ExactGate().output_bound()


def test_the_table_of_gates_does_not_depend_on_the_mathematics_library():
    with localcontext(prec=40):
        steps = [Decimal(i) / 64 for i in range(-512, 513)]
        tanh = [256 * (1 - 2 / (1 + (2 * t).exp())) for t in steps]
        sigmoid = [256 / (1 + (-t).exp()) for t in steps]
        gates = exact_causal.GATES.tolist()
        for numbers, table in ((tanh, gates[:1025]), (sigmoid, gates[1025:])):
            assert table == [int(n.to_integral_value()) for n in numbers]
            assert min(abs(n % 1 - Decimal("0.5").copy_sign(n)) for n in numbers) > Decimal("0.0006")


# Bounds


def dense(outputs=1, inputs=1, weight=0.0, bias=0.0):
    numbers = torch.full((outputs, inputs, 1, 1), weight), torch.full((outputs,), bias), torch.zeros(outputs)
    return ExactDense(*numbers, 4, False)


def causal(channels=1, context=4, units=(4, 4, 4), **product):
    return ExactCausalAttention(dense(3 * channels, channels, **product), dense(channels, channels), units, 1, context)


def embedding(weight=1.0, shift=0.0, uses=1):
    return ExactEmbedding(torch.full((2, 1), weight), torch.full((1,), shift), uses)


@pytest.mark.parametrize(
    "layer",
    [
        dense(weight=128.0),
        dense(inputs=1041, weight=127.0),
        dense(bias=0.5),
        causal(channels=1041),
        causal(context=MAX_CONTEXT + 1),
        causal(units=(4, 4, 9)),
        causal(channels=256, units=(-2, 0, 4)),
        causal(weight=128.0),
        embedding(weight=128.0),
        embedding(weight=0.5),
        embedding(weight=math.nan),
        embedding(shift=1.0),
        embedding(shift=-25.0),
        embedding(shift=-0.5),
        embedding(weight=127.0, shift=-16.0, uses=3),
    ],
)
def test_weights_that_could_be_inexact_are_refused(layer):
    with pytest.raises(BoundError):
        layer.output_bound()


def test_the_largest_numbers_within_the_bounds():
    assert embedding(weight=127.0, shift=-16.0, uses=2).output_bound() == 2 * 127 * 2**16
    assert causal(channels=1040, context=MAX_CONTEXT).output_bound() == 0
