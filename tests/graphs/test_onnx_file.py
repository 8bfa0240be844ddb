"""What is written is ONNX, as its own package reads it, and computes what it should."""

import numpy as np
import onnx
import pytest
from graphs.graph_models import run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from imgcodec.graphs.onnx_file import SMALL, Graph
from imgcodec.graphs.tensors import StoredTensor

NUMBERS = st.one_of(
    [
        arrays(dtype, array_shapes(min_dims=0, max_dims=3, max_side=4))
        for dtype in ("i1", "u1", "i4", "i8", "?", "f2", "f8")
    ]
)


@given(NUMBERS)
def test_constants_are_read_back(numbers):
    graph = Graph("constants")
    name = graph.constant(numbers)
    (found,) = onnx.load_model_from_string(graph.to_bytes()).graph.initializer
    assert found.name == name
    read = onnx.numpy_helper.to_array(found)
    assert read.dtype == numbers.dtype
    assert np.array_equal(read, numbers, equal_nan=numbers.dtype.kind == "f")


@given(st.integers(-(2**63), 2**63 - 1), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), st.text(max_size=300))
def test_attributes_are_read_back(number, numbers, text):
    graph = Graph("attributes")
    graph.add("Any", "x", one=number, many=numbers, words=text)
    (node,) = onnx.load_model_from_string(graph.to_bytes()).graph.node
    assert list(node.input) == ["x"]
    assert [(a.i, list(a.ints), a.s.decode()) for a in node.attribute[:1]] == [(number, [], "")]
    assert list(node.attribute[1].ints) == numbers
    assert node.attribute[2].s.decode() == text


def doubling() -> Graph:
    graph = Graph("double")
    x = graph.input("x", "float32", ["rows", 3])
    graph.output("y", graph.add("Mul", x, graph.constant(np.float32(2))), "float32", ["rows", 3])
    return graph


def test_a_graph_is_a_whole_model_and_runs():
    model = onnx.load_model_from_string(doubling().to_bytes())
    onnx.checker.check_model(model, full_check=True)
    (given,) = model.graph.input
    rows, three = given.type.tensor_type.shape.dim
    assert (given.name, rows.dim_param, three.dim_value) == ("x", "rows", 3)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(run(doubling(), {"x": x})["y"], 2 * x)


def test_every_node_has_a_name_of_its_own():
    """ONNX Runtime 1.20 takes no graph in which it has joined two nodes without one."""
    graph = Graph("g")
    x = graph.input("x", "float32", [4])
    graph.output("y", graph.add("Neg", graph.add("Abs", x)), "float32", [4])
    names = [node.name for node in onnx.load_model_from_string(graph.to_bytes()).graph.node]
    assert len(set(names) - {""}) == len(names) == 3


def test_small_constants_are_there_once():
    graph = Graph("constants")
    assert graph.constant(np.float32(2)) == graph.constant(np.float32(2)) != graph.constant(np.float64(2))
    large = np.zeros(SMALL + 1, np.float32)
    assert graph.constant(large) != graph.constant(large)


@pytest.mark.parametrize("type", ["I8", "F16", "BF16", "F32"])
def test_stored_tensors_become_float32(type):
    size = {"I8": 1, "F16": 2, "BF16": 2, "F32": 4}[type]
    tensor = StoredTensor(type, (3,), bytes(range(60, 60 + 3 * size)))
    graph = Graph("stored")
    graph.output("y", graph.stored(tensor), "float32", [3])
    found = run(graph, {})["y"]
    assert found.dtype == np.float32
    assert np.array_equal(found, tensor.numpy().astype(np.float32))
