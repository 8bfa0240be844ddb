"""The layers of the known-answer test give the same numbers in PyTorch and as one graph."""

import numpy as np
import onnx
import pytest
from graphs.graph_models import TINY, run

from imgcodec.graphs.known_layers import layers_graph
from imgcodec.graphs.products import Products
from imgcodec.model_file.contents import open_contents
from imgcodec.priors.integer import exact, known_answer
from imgcodec.profiles.photo.model import load_photo_model


@pytest.mark.parametrize("products", [Products.FLOAT, Products.UNSIGNED])
@pytest.mark.parametrize("is_optimized", [False, True])
def test_outputs_are_those_of_pytorch(is_optimized, products):
    photo, contents = load_photo_model(str(TINY)), open_contents(TINY)
    graph = layers_graph(photo.prior_config, contents.config["fractions"], contents.tensors, products)
    onnx.checker.check_model(onnx.load_model_from_string(graph.to_bytes()), full_check=True)
    with exact.exact_arithmetic():
        expected = [layer.numpy() for layer in known_answer._photo_layers(photo.prior)]
    found = list(run(graph, {}, is_optimized).values())
    assert len(found) == len(expected) > 15
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
