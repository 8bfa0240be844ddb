"""The known-answer test of the layers of a `photo` prior as one graph: `imgcodec.priors.integer.known_answer`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgcodec.graphs.integers import Layers
from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.prior_layers import Layer, prior_layers
from imgcodec.graphs.products import Products
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.priors.integer.answer_inputs import TILE_SIDE, attention_input, depthwise_input, linear_input
from imgcodec.priors.photo.config import UPSAMPLING, PhotoPriorConfig


def layers_graph(
    config: PhotoPriorConfig,
    fractions: Mapping[str, Any],
    tensors: Mapping[str, StoredTensor],
    products: Products = Products.FLOAT,
) -> Graph:
    """A graph with an output for one layer of each kind and shape, in the order of the test. What goes into the layers
    is part of it, so that it has no inputs."""
    graph = Graph("layers")
    layers = Layers(graph, tensors, fractions, products)
    window = config.windows[0]
    coarse = -(-TILE_SIDE // window) * window
    done = set()
    for layer in prior_layers(config):
        height = coarse * UPSAMPLING if layer.name.startswith(("spread", "fine")) else coarse
        width = height // 2 if layer.name.endswith(("predict", "embed")) else height  # half of a checkerboard
        kind = (layer.kind, layer.shape, layer.positive, height, width)
        if layer.kind == "rows" or kind in done:
            continue
        done.add(kind)
        x = _constant(graph, _input(layer, config, fractions, tensors, height, width))
        match layer.kind:
            case "linear":
                y = layers.linear(layer.name, x, layer.positive)
            case "depthwise":
                y = layers.depthwise(layer.name, x)
            case _:
                inside = graph.constant(np.ones((height, width), np.float32))
                y = layers.attend(layer.name, x, inside, layer.window, config.heads)
        graph.output(f"y{len(done)}", graph.cast(y, "int32"), "int32", [1, "channels", height, width])
    return graph


def _constant(graph: Graph, numbers: NDArray[np.float32]) -> str:
    """Numbers as float32, which a graph has in 16 bits where they are whole, as they mostly are."""
    whole = numbers.astype(np.int16)
    return graph.cast(graph.constant(whole), "float32") if np.array_equal(whole, numbers) else graph.constant(numbers)


def _input(
    layer: Layer,
    config: PhotoPriorConfig,
    fractions: Mapping[str, Any],
    tensors: Mapping[str, StoredTensor],
    height: int,
    width: int,
) -> NDArray[np.float32]:
    if layer.kind == "attention":
        query, key, value = fractions[layer.name]
        return attention_input(config.width, layer.window, (query, key, value), height, width)
    weight = tensors[f"prior.{layer.name}.weight"].numpy()
    if layer.kind == "depthwise":
        return depthwise_input(weight[:, 0], fractions[layer.name], height, width)
    return linear_input(weight[:, :, 0, 0], layer.positive, fractions.get(layer.name), height, width)
