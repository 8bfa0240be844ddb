"""Tensors as model files store them. NumPy has no bfloat16, so they stay bytes until they are used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STORED_TYPES = {"I8": "int8", "U8": "uint8", "I32": "int32", "F16": "float16", "BF16": "bfloat16", "F32": "float32"}
"""Types of tensors, by the names of safetensors: those of torch and of ONNX."""
NUMPY_TYPES = {"I8": "<i1", "U8": "<u1", "I32": "<i4", "F16": "<f2", "F32": "<f4"}
"""Those that NumPy has; BF16 is the one that is missing."""


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """type: as safetensors names it, one of `STORED_TYPES`. data: little-endian, rows last."""

    type: str
    shape: tuple[int, ...]
    data: bytes | bytearray | memoryview

    def numpy(self) -> NDArray[np.generic]:
        """The numbers; bfloat16 as float32, which holds all of them."""
        if self.type == "BF16":
            upper = np.frombuffer(self.data, "<u2").astype("<u4")
            return (upper << 16).view("<f4").reshape(self.shape)
        return np.frombuffer(self.data, NUMPY_TYPES[self.type]).reshape(self.shape)


def checked_shape(tensors: Mapping[str, StoredTensor], name: str, shape: Sequence[int]) -> StoredTensor:
    """A tensor of a file. Raises ValueError where it has another shape, KeyError where it is missing."""
    tensor = tensors[name]
    if tensor.shape != tuple(shape):
        raise ValueError(f"{name} has shape {tensor.shape} instead of {tuple(shape)}")
    return tensor
