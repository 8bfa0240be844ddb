"""Models whose graphs are compared with PyTorch: stored tensors and configurations, and sessions of graphs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imgcodec.graphs.onnx_file import Graph
from imgcodec.graphs.tensors import StoredTensor
from imgcodec.runtime import Session

TINY = Path(__file__).parents[1] / "golden" / "tiny.safetensors"
TYPES = {torch.int8: "I8", torch.uint8: "U8", torch.int32: "I32", torch.float16: "F16", torch.float32: "F32"}


def stored(tensor: torch.Tensor) -> StoredTensor:
    """As a model file would have it; bfloat16 apart."""
    return StoredTensor(TYPES[tensor.dtype], tuple(tensor.shape), tensor.contiguous().numpy().tobytes())


def run(graph: Graph, feeds: Mapping[str, NDArray[Any]], is_optimized: bool = False) -> dict[str, NDArray[Any]]:
    """The outputs of a graph."""
    return Session(lambda: graph, is_optimized)(feeds)


def as_array(tensor: torch.Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(tensor.numpy())
