"""Every integer layer of a graph gives what PyTorch's gives, with and without the optimizers of ONNX Runtime."""

import numpy as np
import pytest
import torch
from graphs.graph_models import as_array, run, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from priors.integer.products import random_numbers, random_product

from imgcodec.graphs.integers import Layers
from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.products import Products
from imgcodec.priors.integer.constants import TUNE_UNITS
from imgcodec.priors.integer.exact import (
    ExactAttention,
    ExactDepthwise,
    ExactLevelTable,
    ExactLinear,
    ExactTokenCurve,
)
from imgcodec.profiles.photo.onnx_model import is_exact
from imgcodec.runtime import number

EXACT = [Products.FLOAT, *(products for products in (Products.SIGNED, Products.UNSIGNED) if is_exact(products))]
"""Here: signed bytes on some processors alone."""

seeds, fractions, optimized = st.integers(0, 2**32 - 1), st.integers(-8, 8), st.booleans()


def product(name, weight, bias, shift):
    """Tensors of a model file."""
    numbers = {"weight": weight.to(torch.int8), "bias": bias.to(torch.int32), "shift": shift.to(torch.int8)}
    return {f"prior.{name}.{part}": stored(tensor) for part, tensor in numbers.items()}


def layers_of(tensors, fractions, products=Products.FLOAT):
    graph = Graph("layer")
    x = graph.input("x", "float32", [1, "channels", "rows", "columns"])
    return graph, Layers(graph, tensors, fractions, products), x


@pytest.mark.parametrize("products", EXACT)
@settings(max_examples=30)
@given(seeds, st.integers(1, 90), st.integers(1, 40), st.one_of(st.none(), fractions), st.booleans(), optimized)
def test_linear(products, seed, inputs, outputs, fraction, positive, is_optimized):
    rng = np.random.default_rng(seed)
    numbers = random_product(rng, (outputs, inputs, 1, 1), 255 if positive else 127)
    x = random_numbers(rng, (1, inputs, 2, 3), 2**24 if fraction is not None else 255)
    x = x.abs() if positive and fraction is None else x.clamp(-127, 127) if fraction is None else x
    graph, layers, name = layers_of(product("a", *numbers), {} if fraction is None else {"a": fraction}, products)
    graph.output("y", layers.linear("a", name, positive), "float32", [1, outputs, 2, 3])
    expected = ExactLinear(*numbers, fraction, positive)(x)
    assert np.array_equal(run(graph, {"x": as_array(x)}, is_optimized)["y"], expected.numpy())


@settings(max_examples=30)
@given(seeds, st.integers(1, 3), st.sampled_from([1, 3, 5]), st.integers(1, 6), fractions, optimized)
def test_depthwise(seed, channels, kernel, height, fraction, is_optimized):
    rng = np.random.default_rng(seed)
    numbers = random_product(rng, (channels, 1, kernel, kernel), 127)
    x = random_numbers(rng, (1, channels, height, 5))
    graph, layers, name = layers_of(product("a", *numbers), {"a": fraction})
    graph.output("y", layers.depthwise("a", name), "float32", [1, channels, height, 5])
    expected = ExactDepthwise(*numbers, fraction)(x)
    assert np.array_equal(run(graph, {"x": as_array(x)}, is_optimized)["y"], expected.numpy())


@settings(max_examples=30)
@given(seeds, st.integers(1, 2), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), optimized)
def test_attention(seed, heads, size, window, rows, columns, is_optimized):
    rng, width = np.random.default_rng(seed), heads * size
    projection = random_product(rng, (3 * width, width, 1, 1), 127, smallest_shift=4)
    merging = random_product(rng, (width, width, 1, 1), 127)
    units = [int(f) for f in rng.integers(-8, 9, 2)]
    query, key, value = rng.integers(0, 9, 3).tolist()
    position = torch.from_numpy(rng.integers(-60, 61, (heads, (2 * window - 1) ** 2))).to(torch.int32)
    layer = ExactAttention(
        ExactLinear(*projection, units[0], False), ExactLinear(*merging, units[1], False), position,
        (query, key, value), window,
    )  # fmt: skip
    x = random_numbers(rng, (1, width, rows * window, columns * window), 2**14)
    inside = torch.from_numpy(rng.random(x.shape[2:]) < 0.7).float()
    tensors = {
        **product("a.project", *projection), **product("a.merge", *merging), "prior.a.position": stored(position)
    }  # fmt: skip
    units_by_name = {"a": [query, key, value], "a.project": units[0], "a.merge": units[1]}
    graph, layers, name = layers_of(tensors, units_by_name)
    shown = graph.input("inside", "float32", ["rows", "columns"])
    graph.output("y", layers.attention("a", name, shown, window, heads), "float32", [1, width, "rows", "columns"])
    found = run(graph, {"x": as_array(x), "inside": inside.numpy()}, is_optimized)["y"]
    assert np.array_equal(found, layer(x, inside).numpy())


@settings(max_examples=30)
@given(seeds, st.integers(2, 9), st.integers(0, 25600), st.sampled_from([1, 2]), optimized)
def test_level_table(seed, levels, quality, tunes, is_optimized):
    rows = random_numbers(np.random.default_rng(seed), (tunes * levels, 5)).to(torch.int32)
    graph = Graph("rows")
    given_quality = graph.input("quality", "float32", [])
    layers = Layers(graph, {"prior.a.rows": stored(rows)}, {})
    graph.output("y", layers.rows("a", given_quality, tunes), "float32", [1, 5, 1, 1])
    for tune in range(tunes):
        found = run(graph, {"quality": number(quality + tune * TUNE_UNITS)}, is_optimized)["y"]
        assert np.array_equal(found, ExactLevelTable(rows, tunes)(quality + tune * TUNE_UNITS).numpy())


@pytest.mark.parametrize("planes", [1, 2])
def test_token_curve(planes):
    tokens = torch.arange(-4096.0, 4096).reshape(1, 2, 64, 64)
    graph, layers, name = layers_of({}, {})
    graph.output("y", layers.curve(name, planes), "float32", [1, 2 * planes, 64, 64])
    assert np.array_equal(run(graph, {"x": as_array(tokens)})["y"], ExactTokenCurve(planes)(tokens).numpy())


@pytest.mark.parametrize("products", EXACT)
@given(st.integers(-63, 63))
@settings(max_examples=20)
def test_halves_go_to_the_even_neighbour(products, number):
    tensors = product("a", torch.ones(1, 1, 1, 1), torch.zeros(1), torch.tensor([1]))
    graph, layers, name = layers_of(tensors, {}, products)
    graph.output("y", layers.linear("a", name), "float32", [1, 1, 1, 1])
    x = np.full((1, 1, 1, 1), 2 * number + 1, np.float32)
    assert run(graph, {"x": x})["y"].item() == round((2 * number + 1) / 2)


@pytest.mark.parametrize("products", EXACT)
@pytest.mark.parametrize("positive", [False, True])
def test_operands_are_rounded_to_even_and_cut(products, positive):
    """Each to the one weight of 1, at the ends of the range and at halves."""
    tensors = product("a", torch.ones(1, 1, 1, 1), torch.zeros(1), torch.zeros(1))
    graph, layers, name = layers_of(tensors, {"a": 7}, products)  # in units of 2
    graph.output("y", layers.linear("a", name, positive), "float32", [1, 1, 1, "columns"])
    x = np.array(
        [-(2.0**24), -257, -256, -255, -254, -253, -3, -1, 0, 1, 3, 5, 253, 254, 255, 256, 257, 509, 511, 2.0**24]
    )
    expected = np.clip(np.rint(x / 2), 0 if positive else -127, 255 if positive else 127)
    found = run(graph, {"x": x.astype(np.float32)[None, None, None]})["y"]
    assert np.array_equal(found.ravel(), expected)
