"""The `photo` prior as graphs, one for each step of the walk over the tokens: `imgcodec.priors.photo.transformer`.

A slice has two steps, of its anchors and of its non-anchors. Each gives the parameters of the tokens that are coded
next, and takes the tokens that were coded before:

    step 2i     anchors of slice i       state, anchors, tokens of slice i - 1 ─► next_state, hidden, parameters
    step 2i+1   non-anchors of slice i   hidden, tokens of the anchors ─────────► anchors, parameters

`state` and `hidden` are feature maps, `anchors` is the embedding of the tokens of anchors. What follows the last slice
of stage 0, the change to the resolution of stage 1, is the beginning of the first step of stage 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from imgcodec.graphs.integers import Layers
from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.prior_layers import STAGES
from imgcodec.graphs.products import Products
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.priors.photo.config import UPSAMPLING, PhotoPriorConfig


def step_count(config: PhotoPriorConfig) -> int:
    """How many steps there are."""
    return 2 * sum(map(len, config.slices))


def step_graph(
    config: PhotoPriorConfig,
    fractions: Mapping[str, Any],
    tensors: Mapping[str, StoredTensor],
    number: int,
    products: Products = Products.FLOAT,
) -> Graph:
    """The graph of a step."""
    index, parity = divmod(number, 2)
    stage = int(index >= len(config.slices[0]))
    layers = Layers(Graph(f"prior-{number:02}"), tensors, fractions, products)
    step = _Step(config, layers, stage, index - stage * len(config.slices[0]))
    return step.non_anchors() if parity else step.anchors()


class _Step:
    def __init__(self, config: PhotoPriorConfig, layers: Layers, stage: int, index: int) -> None:
        self.config, self.layers, self.graph = config, layers, layers.graph
        self.stage, self.index, self.name = stage, index, STAGES[stage]
        self.quality = self.graph.input("quality", "float32", [])

    def anchors(self) -> Graph:
        graph, config = self.graph, self.config
        name = f"{self.name}.heads.{self.index}"
        map_shape: list[int | str] = [1, config.width, "rows", "columns"]
        begins = self.index == 0
        inside = "" if not self._sees_inside else graph.input("inside", "float32", self._inside_shape)
        state = self._entered(inside) if begins else self._coded(self.stage, self.index - 1)
        if begins:
            inside = self._enlarged(inside) if self.stage and self._attends else inside
            state = graph.add("Add", state, self.layers.rows(f"{self.name}.start", self.quality, config.tunes))
        state = self._block(f"{self.name}.blocks.{self.index}", state, inside, self.stage, self._attends)
        hidden = self.layers.linear(f"{name}.hidden", state)
        graph.output("next_state", state, "float32", map_shape)
        graph.output("hidden", hidden, "float32", map_shape)
        return self._predicted(name, hidden, 0)

    def non_anchors(self) -> Graph:
        graph, width = self.graph, self.config.width
        name = f"{self.name}.heads.{self.index}"
        hidden = graph.input("hidden", "float32", [1, width, "rows", "columns"])
        tokens = self._tokens_of("tokens", self.config.slices[self.stage][self.index])
        anchors = self._embedded(self.stage, self.index, tokens)
        graph.output("anchors", anchors, "float32", [1, width, "rows", "half"])
        zeros = graph.add("Mul", anchors, graph.constant(np.float32(0)))
        near = self.layers.depthwise(f"{name}.neighbours", self._join(anchors, zeros))
        return self._predicted(name, graph.add("Add", hidden, near), 1)

    @property
    def _attends(self) -> bool:
        return self.config.attention[self.stage][self.index]

    @property
    def _sees_inside(self) -> bool:
        """The first step of a stage makes its state of it, or attends to it between the stages."""
        return self._attends or self.index == 0

    @property
    def _inside_shape(self) -> list[int | str]:
        return ["coarse_rows", "coarse_columns"] if self.stage and self.index == 0 else ["rows", "columns"]

    def _entered(self, inside: str) -> str:
        """The state in which a stage begins, without its row of the table of levels."""
        graph, layers, config = self.graph, self.layers, self.config
        if self.stage == 0:
            zeros = graph.add("Mul", inside, graph.constant(np.float32(0)))
            return graph.add("Unsqueeze", zeros, graph.shape(0, 1))
        state = self._coded(0, len(config.slices[0]) - 1)
        state = self._block("between", state, inside, 0, True)
        state = layers.linear("upsample", state)
        state = graph.add("DepthToSpace", state, blocksize=UPSAMPLING, mode="CRD")
        return layers.linear("spread", state)

    def _enlarged(self, inside: str) -> str:
        """`inside` of stage 0 in the resolution of stage 1."""
        graph = self.graph
        apart = graph.add("Unsqueeze", inside, graph.shape(1, 3))
        ones = graph.constant(np.ones((1, UPSAMPLING, 1, UPSAMPLING), np.float32))
        times = graph.add("Mul", graph.add("Shape", inside), graph.shape(UPSAMPLING))
        return graph.add("Reshape", graph.add("Mul", apart, ones), times)

    def _coded(self, stage: int, index: int) -> str:
        """The state behind a slice that was coded: with its tokens."""
        graph, width = self.graph, self.config.width
        sizes = ["coarse_rows", "coarse_columns"] if stage < self.stage else ["rows", "columns"]
        half = "coarse_half" if stage < self.stage else "half"
        state = graph.input("state", "float32", [1, width, *sizes])
        anchors = graph.input("anchors", "float32", [1, width, sizes[0], half])
        tokens = self._tokens_of("tokens", self.config.slices[stage][index], sizes[0], half)
        return graph.add("Add", state, self._join(anchors, self._embedded(stage, index, tokens)))

    def _block(self, name: str, x: str, inside: str, stage: int, attends: bool) -> str:
        graph, layers, config = self.graph, self.layers, self.config
        if attends:
            window = config.windows[stage]
            x = graph.add("Add", x, layers.attention(f"{name}.attention", x, inside, window, config.heads))
        x = graph.add("Add", x, layers.depthwise(f"{name}.local", x))
        expanded = layers.linear(f"{name}.expand", x)
        return graph.add("Add", x, layers.linear(f"{name}.contract", expanded, positive=True))

    def _tokens_of(self, name: str, groups: int, rows: str = "rows", half: str = "half") -> str:
        """An input of centred tokens, as (1, groups, rows, half) in float32."""
        tokens = self.graph.input(name, "int32", [groups, rows, half])
        return self.graph.add("Unsqueeze", self.graph.cast(tokens, "float32"), self.graph.shape(0))

    def _embedded(self, stage: int, index: int, tokens: str) -> str:
        # tokens of the first slice are embedded from two planes
        return self.layers.linear(
            f"{STAGES[stage]}.heads.{index}.embed", self.layers.curve(tokens, 2 if index == 0 else 1)
        )

    def _predicted(self, name: str, hidden: str, parity: int) -> Graph:
        graph = self.graph
        parameters = self.layers.linear(f"{name}.predict", self._half(hidden, parity), positive=True)
        parameters = graph.add("Add", parameters, self.layers.rows(f"{name}.bias", self.quality, self.config.tunes))
        integers = graph.cast(graph.add("Squeeze", parameters, graph.shape(0)), "int32")
        groups = self.config.slices[self.stage][self.index]
        graph.output("parameters", integers, "int32", [2 * groups, "rows", "half"])
        return graph

    def _half(self, x: str, parity: int) -> str:
        """`checkerboard_half` of (1, width, rows, columns)."""
        graph = self.graph
        end = graph.shape(2**31, 2**31)
        even, odd = (
            graph.add("Slice", x, graph.shape(row, row ^ parity), end, graph.shape(2, 3), graph.shape(2, 2))
            for row in (0, 1)
        )
        return self._interleaved(even, odd, axis=2)

    def _join(self, anchors: str, non_anchors: str) -> str:
        """`join_checkerboard`: two halves (1, width, rows, columns / 2) -> (1, width, rows, columns)."""
        graph, end = self.graph, self.graph.shape(2**31)

        def rows_of(half: str, row: int) -> str:
            return graph.add("Slice", half, graph.shape(row), end, graph.shape(2), graph.shape(2))

        even = self._interleaved(rows_of(anchors, 0), rows_of(non_anchors, 0), axis=3)
        odd = self._interleaved(rows_of(non_anchors, 1), rows_of(anchors, 1), axis=3)
        return self._interleaved(even, odd, axis=2)

    def _interleaved(self, first: str, second: str, axis: int) -> str:
        """Rows (axis 2) or columns (axis 3) of two maps in turn."""
        graph = self.graph
        pair = [graph.add("Unsqueeze", part, graph.shape(axis + 1)) for part in (first, second)]
        times = [1, 1, 1, 1]
        times[axis] = 2
        shape = graph.add("Mul", graph.add("Shape", first), graph.shape(*times))
        return graph.add("Reshape", graph.add("Concat", *pair, axis=axis + 1), shape)
