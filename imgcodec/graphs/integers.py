"""The integer layers of the `photo` prior as nodes of a graph: `imgcodec.priors.integer.exact`, operator by operator.

Integers travel in float32, and why that is exact is said there and in `docs/numerics.md`; matrix products may be those
of bytes. What an optimizer may do to a graph keeps it exact: sums may be added up in any order, and the one scale
factor is a power of two. Numbers are (1, channels, rows, columns).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.products import WEIGHT_ZERO, Products, as_unsigned
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.priors.integer import constants
from imgcodec.priors.photo.config import relative_offsets


class Layers:
    """Adds layers of a prior to a graph, by their names in the model file without `prior.`

    fractions: the units of operands, by the name of the layer. products: how matrix products are computed.
    """

    def __init__(
        self,
        graph: Graph,
        tensors: Mapping[str, StoredTensor],
        fractions: Mapping[str, Any],
        products: Products = Products.FLOAT,
    ) -> None:
        self.graph, self.tensors, self.fractions, self.products = graph, tensors, fractions, products

    def linear(self, name: str, x: str, positive: bool = False) -> str:
        """`ExactLinear`; without a fraction the input is an operand already."""
        graph = self.graph
        outputs, inputs = self._tensor(f"{name}.weight").shape[:2]
        # no 1x1 convolution: ONNX Runtime would change its layout, in which a matrix product takes half as long again
        flat = graph.add("Reshape", x, graph.shape(inputs, -1))
        if self.products == Products.FLOAT:
            sums = self._products_of_floats(name, flat, positive)
        else:
            sums = self._products_of_bytes(name, flat, positive)
        shape = self._concat(graph.shape(1, outputs), graph.add("Shape", x, start=2))
        return graph.add("Reshape", graph.add("Round", sums), shape)

    def _products_of_floats(self, name: str, x: str, positive: bool) -> str:
        """The product of a layer's weight and (inputs, positions), before it is rounded."""
        if name in self.fractions:
            x = self.operand(x, self.fractions[name], positive)
        outputs, inputs = self._tensor(f"{name}.weight").shape[:2]
        weight, bias = (
            self._in_units(name, part, shape) for part, shape in (("weight", (outputs, inputs)), ("bias", (outputs, 1)))
        )
        return self.graph.add("Gemm", weight, x, bias)

    def _products_of_bytes(self, name: str, x: str, positive: bool) -> str:
        """The same. Operands are made by one operator: it divides by their unit, a power of two, rounds halves to even,
        and keeps what is in the range of a byte."""
        graph = self.graph
        outputs, inputs = self._tensor(f"{name}.weight").shape[:2]
        unit = 2.0 ** (constants.FRACTION - self.fractions.get(name, constants.FRACTION))
        if not positive:  # a byte has -128, too
            low, high = (graph.constant(np.float32(side * constants.MAX_OPERAND * unit)) for side in (-1, 1))
            x = graph.add("Clip", x, low, high)
        zero = graph.constant(self.products.zero(positive))
        operands = graph.add("QuantizeLinear", x, graph.constant(np.float32(unit)), zero)
        weight = self._tensor(f"{name}.weight").numpy().reshape(outputs, inputs)
        products = graph.add(
            "MatMulInteger", graph.constant(as_unsigned(weight)), operands, graph.constant(WEIGHT_ZERO), zero
        )
        bias, shift = (self._tensor(f"{name}.{part}").numpy() for part in ("bias", "shift"))
        sums = graph.add("Add", products, graph.constant(bias.astype(np.int32)[:, None]))
        # the shift of each output, on the way to float32, which holds all sums
        return graph.add("DequantizeLinear", sums, graph.constant(np.exp2(-shift.astype(np.float32))), axis=0)

    def depthwise(self, name: str, x: str) -> str:
        """`ExactDepthwise`."""
        x = self.operand(x, self.fractions[name])
        channels, _, side, _ = self._tensor(f"{name}.weight").shape
        weight = self._in_units(name, "weight", (channels, 1, side, side))
        bias = self._in_units(name, "bias", (channels,))
        return self.graph.add("Round", self.graph.add("Conv", x, weight, bias, group=channels, pads=[side // 2] * 4))

    def attention(self, name: str, x: str, inside: str, window: int, heads: int) -> str:
        """`ExactAttention`. inside: (rows, columns)."""
        mixed = self.attend(name, self.linear(f"{name}.project", x), inside, window, heads)
        return self.linear(f"{name}.merge", mixed)

    def attend(self, name: str, x: str, inside: str, window: int, heads: int) -> str:
        """`ExactAttention.attend`: queries, keys and values (1, 3 * C, rows, columns) -> mixed values (1, C, rows,
        columns)."""
        graph, fractions = self.graph, self.fractions[name]
        channels = self._tensor(f"{name}.project.weight").shape[0] // 3 // heads
        rows, columns = self._windows_across(inside, window)
        split = self._concat(graph.shape(3 * heads, channels), rows, graph.shape(window), columns, graph.shape(window))
        # Numbers of one row of a window stay beside each other in all that is transposed here: ONNX Runtime takes many
        # times as long where it has to move them one by one. (part and head, window's row, its column, channel, y, x)
        apart = graph.add("Transpose", graph.add("Reshape", x, split), perm=[0, 2, 4, 1, 3, 5])
        flat = graph.add("Reshape", apart, graph.shape(3 * heads, -1, channels, window**2))
        query, key, value = (
            self.operand(part, fraction)
            for part, fraction in zip(graph.add_all("Split", flat, count=3, axis=0), fractions, strict=True)
        )
        shift = fractions[0] + fractions[1] + constants.SCORE_DIVISOR - constants.SCORE_FRACTION
        # (head, window, key's position, query's position)
        scores = graph.add("MatMul", graph.add("Transpose", key, perm=[0, 1, 3, 2]), self._scaled(query, -shift))
        scores = graph.add("Add", graph.add("Round", scores), self._position(name, window))
        scores = graph.add("Add", scores, self._mask(inside, window))
        weights = self._exponentials(graph.add("Sub", graph.add("ReduceMax", scores, axes=[-2], keepdims=1), scores))
        numerator = graph.cast(graph.add("MatMul", value, weights), "float64")
        denominator = graph.cast(graph.add("ReduceSum", weights, graph.shape(-2), keepdims=1), "float64")
        unit = graph.constant(np.float64(2.0 ** (constants.FRACTION - fractions[2])))
        quotient = graph.add("Div", graph.add("Mul", numerator, unit), denominator)
        mixed = graph.cast(graph.add("Floor", quotient), "float32")
        across = self._concat(graph.shape(heads), rows, columns, graph.shape(channels, window, window))
        mixed = graph.add("Transpose", graph.add("Reshape", mixed, across), perm=[0, 3, 1, 4, 2, 5])
        return graph.add("Reshape", mixed, self._concat(graph.shape(1, heads * channels), graph.add("Shape", inside)))

    def rows(self, name: str, quality: str, tunes: int) -> str:
        """`ExactLevelTable`: quality, float32 without dimensions -> (1, width, 1, 1). In float64, whose floor of a
        quotient of integers is right as in attention; all numbers are below 2^41."""
        graph, table = self.graph, self._tensor(f"{name}.rows").numpy()
        levels = len(table) // tunes

        def number(value: float) -> str:
            return graph.constant(np.float64(value))

        units = graph.cast(quality, "float64")
        tune = graph.add("Floor", graph.add("Div", units, number(constants.TUNE_UNITS)))
        units = graph.add("Sub", units, graph.add("Mul", tune, number(constants.TUNE_UNITS)))
        level = graph.add("Mul", units, number(levels - 1))
        low = graph.add("Floor", graph.add("Div", level, number(constants.LEVEL_UNITS)))
        low = graph.add("Min", low, number(levels - 2))
        part = graph.add("Sub", level, graph.add("Mul", low, number(constants.LEVEL_UNITS)))
        first = graph.cast(graph.add("Add", graph.add("Mul", tune, number(levels)), low), "int64")
        entries = graph.constant(table.astype(np.int32))
        near, far = (
            graph.cast(graph.add("Gather", entries, row, axis=0), "float64")
            for row in (first, graph.add("Add", first, graph.constant(np.int64(1))))
        )
        mixed = graph.add(
            "Add",
            graph.add("Mul", near, graph.add("Sub", number(constants.LEVEL_UNITS), part)),
            graph.add("Mul", far, part),
        )
        doubled = graph.add("Add", graph.add("Mul", mixed, number(2)), number(constants.LEVEL_UNITS))
        rounded = graph.add("Floor", graph.add("Div", doubled, number(2 * constants.LEVEL_UNITS)))
        return graph.add("Reshape", graph.cast(rounded, "float32"), graph.shape(1, -1, 1, 1))

    def curve(self, tokens: str, planes: int) -> str:
        """`ExactTokenCurve`."""
        graph = self.graph
        size = graph.add("Min", graph.add("Abs", tokens), graph.constant(np.float32(len(constants.CURVE) - 1)))
        entry = graph.lookup(graph.constant(np.array(constants.CURVE, np.float32)), graph.cast(size, "int32"))
        curve = graph.add("Mul", entry, graph.add("Sign", tokens))
        if planes == 1:
            return curve
        low, high = (graph.constant(np.float32(limit)) for limit in (-constants.MAX_OPERAND, constants.MAX_OPERAND))
        return graph.add("Concat", curve, graph.add("Clip", tokens, low, high), axis=1)

    def operand(self, x: str, fraction: int, positive: bool = False) -> str:
        """`exact.operand`."""
        limits = (0, constants.MAX_POSITIVE_OPERAND) if positive else (-constants.MAX_OPERAND, constants.MAX_OPERAND)
        low, high = (self.graph.constant(np.float32(limit)) for limit in limits)
        rounded = self.graph.add("Round", self._scaled(x, fraction - constants.FRACTION))
        return self.graph.add("Clip", rounded, low, high)

    def _in_units(self, name: str, part: str, shape: tuple[int, ...]) -> str:
        """Weight or bias of a product, with the one shift of each output in it, which moves no digit: what is left of
        the requantization is to round."""
        stored, shift = self._tensor(f"{name}.{part}"), self._tensor(f"{name}.shift").numpy().astype(np.float32)
        factor = np.exp2(-shift).reshape(-1, *[1] * (len(shape) - 1))
        graph = self.graph
        return graph.add("Mul", graph.stored(StoredTensor(stored.type, shape, stored.data)), graph.constant(factor))

    def _scaled(self, x: str, exponent: int) -> str:
        """Times a power of two."""
        return self.graph.add("Mul", x, self.graph.constant(np.float32(2.0**exponent))) if exponent else x

    def _position(self, name: str, window: int) -> str:
        """The score bias of each pair of positions of a window, of key and query: (heads, 1, window**2, window**2)."""
        table = self.graph.stored(self._tensor(f"{name}.position"))
        offsets = self.graph.constant(relative_offsets(window).T.astype(np.int32))
        return self.graph.add("Unsqueeze", self.graph.add("Gather", table, offsets, axis=1), self.graph.shape(1))

    def _mask(self, inside: str, window: int) -> str:
        """0 where the position of a key is inside the tile, else -MASKED: (windows, window**2, 1)."""
        graph = self.graph
        rows, columns = self._windows_across(inside, window)
        windows = graph.add("Reshape", inside, self._concat(rows, graph.shape(window), columns, graph.shape(window)))
        flat = graph.add("Reshape", graph.add("Transpose", windows, perm=[0, 2, 1, 3]), graph.shape(-1, window**2, 1))
        outside = graph.add("Sub", flat, graph.constant(np.float32(1)))
        return graph.add("Mul", outside, graph.constant(np.float32(constants.MASKED)))

    def _exponentials(self, below_max: str) -> str:
        graph = self.graph
        last = graph.constant(np.float32(len(constants.EXPONENTIALS) - 1))
        entry = graph.cast(graph.add("Min", below_max, last), "int32")
        return graph.lookup(graph.constant(np.array(constants.EXPONENTIALS, np.float32)), entry)

    def _windows_across(self, inside: str, window: int) -> tuple[str, str]:
        """How many windows there are, down and across, each a shape of one number."""
        graph = self.graph
        counts = graph.add("Div", graph.add("Shape", inside), graph.shape(window))
        rows, columns = (graph.add("Slice", counts, graph.shape(i), graph.shape(i + 1)) for i in (0, 1))
        return rows, columns

    def _concat(self, *shapes: str) -> str:
        return self.graph.add("Concat", *shapes, axis=0)

    def _tensor(self, name: str) -> StoredTensor:
        return self.tensors[f"prior.{name}"]
