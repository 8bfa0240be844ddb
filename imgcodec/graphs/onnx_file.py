"""ONNX models, written node by node and encoded here: what of the format is used takes a page, and neither the package
`onnx` nor protobuf has to be imported by a command that decodes a picture.

    graph = Graph("double")
    x = graph.input("x", "float32", ["rows", 3])
    graph.output("y", graph.add("Mul", x, graph.constant(np.float32(2))), "float32", ["rows", 3])
    onnxruntime.InferenceSession(graph.to_bytes())

The format is protobuf messages (https://onnx.ai/onnx/repo-docs/IR.html): fields with a number, of a varint, four bytes
or a length and bytes. The numbers of the fields are those of `onnx.proto`.
"""

import struct
import sys
from collections.abc import Sequence
from functools import cache, lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from imgcodec.graphs.tensors import STORED_TYPES, StoredTensor

OPSET = 17
IR_VERSION = 8
PRODUCER = "imgcodec"
SMALL = 4096
"""Numbers of a constant that is compared with others."""

TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11,
    "bfloat16": 16,
}  # fmt: skip
"""Types of tensors and their numbers in ONNX."""

Shape = Sequence[int | str]
"""Of an input or output; a dimension that is not fixed has a name."""


class Graph:
    """A graph that grows node by node. Values are strings, the names of what nodes give."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: dict[str, tuple[str, list[int | str]]] = {}
        self.outputs: dict[str, tuple[str, list[int | str]]] = {}
        self._nodes: list[bytes] = []
        self._initializers: list[tuple[bytes, bytes, bytes | bytearray | memoryview]] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._stored: dict[tuple[int, tuple[int, ...]], str] = {}
        self._count = 0

    def input(self, name: str, type: str, shape: Shape) -> str:
        """A value that is given when the graph runs."""
        self.inputs[name] = (type, list(shape))
        return name

    def output(self, name: str, value: str, type: str, shape: Shape) -> None:
        """Makes a value an output of the graph."""
        self._node("Identity", [value], [name], {})
        self.outputs[name] = (type, list(shape))

    def constant(self, numbers: NDArray[np.generic] | np.generic) -> str:
        """Numbers of a type in `TYPES`; a few that are the same are there once."""
        array = np.asarray(numbers)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False) if sys.byteorder == "big" else array
        return self._constant(_name(array.dtype), array.shape, little.tobytes())

    def stored(self, tensor: StoredTensor) -> str:
        """A tensor of a model file, as float32: the graph has it once in each shape, as it is stored, and
        converts it."""
        key = id(tensor.data), tensor.shape  # the graph keeps the data, so that no other gets its id
        if key not in self._stored:
            value = self._initializer(STORED_TYPES[tensor.type], tensor.shape, tensor.data)
            self._stored[key] = value if tensor.type == "F32" else self.cast(value, "float32")
        return self._stored[key]

    def cast(self, value: str, type: str) -> str:
        """The value in another type; real numbers lose what is behind the point where that has none."""
        return self.add("Cast", value, to=TYPES[type])

    def shape(self, *sizes: int) -> str:
        """A constant for the operators that take a shape, axes or places."""
        return self._constant("int64", (len(sizes),), struct.pack(f"<{len(sizes)}q", *sizes))

    def lookup(self, table: str, index: str) -> str:
        """Entries of a table of one dimension, by an index of any shape. Not by `Gather`, which in ONNX Runtime takes
        seven times as long for single numbers."""
        found = self.add("GatherElements", table, self.add("Reshape", index, self.shape(-1)), axis=0)
        return self.add("Reshape", found, self.add("Shape", index))

    def add(self, operator: str, *inputs: str, **attributes: int | str | Sequence[int]) -> str:
        """The one output of a new node."""
        return self.add_all(operator, *inputs, count=1, **attributes)[0]

    def add_all(self, operator: str, *inputs: str, count: int, **attributes: int | str | Sequence[int]) -> list[str]:
        """The outputs of a new node that has so many."""
        outputs = [self._new_name() for _ in range(count)]
        self._node(operator, inputs, outputs, attributes)
        return outputs

    def to_bytes(self) -> bytes:
        """The graph as a model file of ONNX. It has some megabytes of weights, which are copied once."""
        graph = [
            *(_field(1, node) for node in self._nodes),
            _field(2, self.name.encode()),
            *(part for tensor in self._initializers for part in (_head(5, sum(map(len, tensor))), *tensor)),
            *(_field(11, _value_info(name, *of)) for name, of in self.inputs.items()),
            *(_field(12, _value_info(name, *of)) for name, of in self.outputs.items()),
        ]
        opset = _field(1, b"") + _number(2, OPSET)
        producer = _number(1, IR_VERSION) + _field(2, PRODUCER.encode())
        return b"".join([producer, _head(7, sum(map(len, graph))), *graph, _field(8, opset)])

    def _node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: dict[str, int | str | Sequence[int]],
    ) -> None:
        self._nodes.append(
            b"".join(
                [
                    *(_text(1, name) for name in inputs),
                    *(_text(2, name) for name in outputs),
                    _text(3, outputs[0]),  # ONNX Runtime 1.20 makes names of names, and refuses two that are the same
                    _text(4, operator),
                    *(_field(5, _attribute(name, value)) for name, value in attributes.items()),
                ]
            )
        )

    def _constant(self, type: str, shape: tuple[int, ...], data: bytes) -> str:
        key = type, shape, data
        if prod(shape) > SMALL:
            return self._initializer(*key)
        if key not in self._constants:
            self._constants[key] = self._initializer(*key)
        return self._constants[key]

    def _initializer(self, type: str, shape: tuple[int, ...], data: bytes | bytearray | memoryview) -> str:
        name = self._new_name()
        sizes = b"".join(_number(1, size) for size in shape)
        facts = sizes + _number(2, TYPES[type]) + _text(8, name)
        self._initializers.append((facts, _head(9, len(data)), data))
        return name

    def _new_name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _attribute(name: str, value: int | str | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _field(1, name.encode()) + _number(3, value) + _number(20, 2)
    if isinstance(value, str):
        return _field(1, name.encode()) + _field(4, value.encode()) + _number(20, 3)
    return _field(1, name.encode()) + b"".join(_number(8, number) for number in value) + _number(20, 7)


def _value_info(name: str, type: str, shape: Shape) -> bytes:
    sizes = (_number(1, size) if isinstance(size, int) else _field(2, size.encode()) for size in shape)
    tensor = _number(1, TYPES[type]) + _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, data: bytes | bytearray) -> bytes:
    """A field of bytes: a string or a message."""
    return _head(number, len(data)) + data


def _head(number: int, length: int) -> bytes:
    """What stands before so many bytes of a field."""
    if length < 128:
        return bytes((number << 3 | 2, length))
    return _varint(number << 3 | 2) + _varint(length)


@lru_cache(maxsize=4096)
def _text(number: int, text: str) -> bytes:
    """A field of text: graphs have the same names."""
    return _field(number, text.encode())


@cache
def _name(dtype: np.dtype[np.generic]) -> str:
    """The name of a type; NumPy puts it together each time."""
    return dtype.name


@lru_cache(maxsize=4096)
def _number(number: int, value: int) -> bytes:
    """A field of an integer; negative ones are those of 64 bits in two's complement."""
    return _varint(number << 3) + _varint(value % 2**64)


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
