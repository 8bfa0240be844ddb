"""How the matrix products of the `photo` prior are computed. All ways give the same integers where they are exact, and
`probe` asks an engine which of them are.

Operands are bytes, and so are weights. In float32 their sums are exact everywhere (`docs/numerics.md`), but processors
multiply bytes several times as fast. Those without an instruction for sums of four products (VNNI, and its like on ARM)
add two products of an unsigned and a signed byte in 16 bits, which is too few: 255 * 127 twice is cut to 32767. Then
both factors have to be unsigned.
"""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from imgcodec.graphs.onnx_file import Graph
from imgcodec.priors.integer.answer_inputs import hashes
from imgcodec.priors.integer.constants import MAX_OPERAND, MAX_POSITIVE_OPERAND

SIDE = 64
"""Of the matrices of `probe`: large enough for the kernels that large pictures take."""


class Products(Enum):
    """The type of operands: float32; or bytes, signed or unsigned, with weights that are unsigned bytes."""

    FLOAT = "float32"
    SIGNED = "int8"
    UNSIGNED = "uint8"

    def zero(self, positive: bool) -> NDArray[np.generic]:
        """What stands for an operand of zero; positive: operands are 0 to 255, and not -127 to 127."""
        if self == Products.SIGNED:
            return np.array(-128 if positive else 0, np.int8)
        return np.array(0 if positive else 128, np.uint8)


WEIGHT_ZERO = np.array(128, np.uint8)
"""What stands for a weight of zero, as an unsigned byte."""


def as_unsigned(weight: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Weights -127 to 127 as unsigned bytes."""
    return (weight.astype(np.int16) + WEIGHT_ZERO).astype(np.uint8)


def probe(products: Products) -> tuple[Graph, dict[str, NDArray[np.generic]], NDArray[np.int32]]:
    """A graph, its inputs, and the outputs that it must have: products of bytes, among them the largest that there
    are, beside each other. Operands are inputs, as those of the prior: engines arrange constants in other ways."""
    weight = np.where(_coins(0), MAX_OPERAND, -MAX_OPERAND)
    weight[0], weight[1] = MAX_OPERAND, -MAX_OPERAND
    graph, feeds, expected = Graph("products"), {}, []
    for positive in (False, True):
        least, most = (0, MAX_POSITIVE_OPERAND) if positive else (-MAX_OPERAND, MAX_OPERAND)
        operands = np.where(_coins(1 + positive), most, least)
        operands[:, 0], operands[:, 1] = most, least
        zero, name = products.zero(positive), "positive" if positive else "signed"
        feeds[name] = (operands + zero.astype(np.int64)).astype(zero.dtype)
        product = graph.add(
            "MatMulInteger", graph.constant(as_unsigned(weight)), graph.input(name, products.value, [SIDE, SIDE]),
            graph.constant(WEIGHT_ZERO), graph.constant(zero),
        )  # fmt: skip
        graph.output(f"{name}_sums", product, "int32", [SIDE, SIDE])
        expected.append((weight @ operands).astype(np.int32))
    return graph, feeds, np.stack(expected)


def _coins(number: int) -> NDArray[np.bool_]:
    """A matrix of heads and tails. NumPy's own take longer to import than all the rest of a probe."""
    hashed = hashes(number * SIDE**2, SIDE**2)
    mixed = (hashed ^ hashed >> np.uint64(15)) * np.uint64(2246822519) % np.uint64(2**32)  # neighbours differed by rule
    return (mixed >= 2**31).reshape(SIDE, SIDE)
