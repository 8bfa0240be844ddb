"""The known-answer test of the layers of a `photo` prior as one graph: `imgcodec.priors.integer.known_answer`."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from imgcodec.graphs.integers import Layers
from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.prior_layers import Layer, prior_layers
from imgcodec.graphs.products import Products
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.priors.integer.answer_inputs import TILE_SIDE, noise_period, order_of_rows, unit
from imgcodec.priors.integer.constants import MAX_OPERAND, MAX_POSITIVE_OPERAND
from imgcodec.priors.photo.config import UPSAMPLING, PhotoPriorConfig


def layers_graph(
    config: PhotoPriorConfig,
    fractions: Mapping[str, Any],
    tensors: Mapping[str, StoredTensor],
    products: Products = Products.FLOAT,
) -> Graph:
    """A graph with an output for one layer of each kind and shape, in the order of the test. It has no inputs: what
    goes into the layers is made in it."""
    graph = Graph("layers")
    layers, operands = Layers(graph, tensors, fractions, products), _Operands(graph, tensors)
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
        fraction: Any = fractions.get(layer.name)
        match layer.kind:
            case "linear":
                y = layers.linear(layer.name, operands.linear(layer, fraction, height, width), layer.positive)
            case "depthwise":
                y = layers.depthwise(layer.name, operands.depthwise(layer, fraction, height, width))
            case _:
                x = operands.attention(config.width, layer.window, fraction, height, width)
                inside = graph.constant(np.ones((height, width), np.float32))
                y = layers.attend(layer.name, x, inside, layer.window, config.heads)
        graph.output(f"y{len(done)}", graph.cast(y, "int32"), "int32", [1, "channels", height, width])
    return graph


class _Operands:
    """Adds to a graph what goes into layers: the functions of `imgcodec.priors.integer.answer_inputs`, operator by
    operator. As numbers it would be larger than the weights, of which most of it is made."""

    def __init__(self, graph: Graph, tensors: Mapping[str, StoredTensor]) -> None:
        self._graph, self._tensors = graph, tensors
        self._periods: dict[bool, str] = {}

    def linear(self, layer: Layer, fraction: int | None, height: int, width: int) -> str:
        """`linear_input`."""
        graph = self._graph
        outputs, inputs = shape = layer.shape[:2]
        weight = self._weight(layer.name, shape)
        if layer.positive:
            zero, most = self._number(0), self._number(MAX_POSITIVE_OPERAND)
            largest = [graph.add("Where", graph.add(sign, weight, zero), most, zero) for sign in ("Greater", "Less")]
        else:
            signs = self._largest(weight)
            largest = [signs, graph.add("Neg", signs)]
        rows = graph.add("Concat", *largest, self._noise(shape, layer.positive), axis=0)
        order = order_of_rows(3 * outputs, height * width).astype(np.int32)
        picked = graph.add("Transpose", graph.add("Gather", rows, graph.constant(order), axis=0), perm=[1, 0])
        x = graph.add("Reshape", picked, graph.shape(1, inputs, height, width))
        return x if fraction is None else graph.add("Mul", x, self._number(unit(fraction)))

    def depthwise(self, layer: Layer, fraction: int, height: int, width: int) -> str:
        """`depthwise_input`."""
        graph, half = self._graph, height // 2
        channels, side = layer.shape[0], layer.shape[-1]
        largest = self._largest(self._weight(layer.name, layer.shape))
        tiled = graph.add("Tile", largest, graph.shape(1, 1, -(-half // side), -(-width // side)))
        above = graph.add("Slice", tiled, graph.shape(0, 0), graph.shape(half, width), graph.shape(2, 3))
        x = graph.add("Concat", above, self._noise((channels, 1, height - half, width), False), axis=2)
        return graph.add(
            "Mul", graph.add("Reshape", x, graph.shape(1, channels, height, width)), self._number(unit(fraction))
        )

    def attention(self, channels: int, window: int, fractions: tuple[int, int, int], height: int, width: int) -> str:
        """`attention_input`."""
        graph, third = self._graph, height // window // 3 * window
        x, most = self._noise((3, channels, height, width), False), self._number(MAX_OPERAND)
        if third:
            sizes = graph.shape(third, third, height - 2 * third)
            _, middle, below = graph.add_all("Split", x, sizes, count=3, axis=2)
            above = graph.add("Expand", most, graph.shape(3, channels, third, width))
            x = graph.add("Concat", above, graph.add("Mul", graph.add("Sign", middle), most), below, axis=2)
        units = np.array([unit(fraction) for fraction in fractions], np.float32)[:, None, None, None]
        return graph.add("Reshape", graph.add("Mul", x, graph.constant(units)), graph.shape(1, -1, height, width))

    def _weight(self, name: str, shape: tuple[int, ...]) -> str:
        stored = self._tensors[f"prior.{name}.weight"]
        return self._graph.stored(StoredTensor(stored.type, shape, stored.data))

    def _largest(self, weight: str) -> str:
        """The largest operand with the sign of each weight."""
        most, least = self._number(MAX_OPERAND), self._number(-MAX_OPERAND)
        return self._graph.add("Where", self._graph.add("Less", weight, self._number(0)), least, most)

    def _noise(self, shape: tuple[int, ...], positive: bool) -> str:
        """`noise`."""
        graph, period = self._graph, noise_period(positive)
        if positive not in self._periods:
            self._periods[positive] = graph.cast(graph.constant(period.astype(np.int16)), "float32")
        repeats = graph.shape(-(-prod(shape) // len(period)))
        numbers = graph.add("Tile", self._periods[positive], repeats)
        return graph.add(
            "Reshape", graph.add("Slice", numbers, graph.shape(0), graph.shape(prod(shape))), graph.shape(*shape)
        )

    def _number(self, value: float) -> str:
        return self._graph.constant(np.float32(value))
