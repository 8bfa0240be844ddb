"""The known-answer test of the layers of a `photo` prior as one graph: `imgcodec.priors.integer.known_answer`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgcodec.graphs.integers import Layers
from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.prior_layers import Layer, prior_layers
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.priors.integer.answer_inputs import TILE_SIDE, attention_input, depthwise_input, linear_input
from imgcodec.priors.photo.config import UPSAMPLING, PhotoPriorConfig


def layers_graph(
    config: PhotoPriorConfig, fractions: Mapping[str, Any], tensors: Mapping[str, StoredTensor]
) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """A graph with an input and an output for one layer of each kind and shape, and its inputs. Outputs are in the
    order of the test."""
    graph, feeds = Graph("layers"), dict[str, NDArray[np.float32]]()
    layers = Layers(graph, tensors, fractions)
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
        numbers = _input(layer, config, fractions, tensors, height, width)
        x = graph.input(f"x{len(done)}", "float32", numbers.shape)
        feeds[x] = numbers
        match layer.kind:
            case "linear":
                y = layers.linear(layer.name, x, layer.positive)
            case "depthwise":
                y = layers.depthwise(layer.name, x)
            case _:
                inside = graph.constant(np.ones((height, width), np.float32))
                y = layers.attend(layer.name, x, inside, layer.window, config.heads)
        graph.output(f"y{len(done)}", graph.cast(y, "int32"), "int32", [1, "channels", height, width])
    return graph, feeds


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
