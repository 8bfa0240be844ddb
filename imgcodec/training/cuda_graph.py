"""Recorded kernels of a GPU, which start all at once."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP = 3
"""Calls before the recording, in which libraries choose kernels and take what memory they need."""


class Recorded:
    """A function whose kernels on a CUDA device are recorded once, as a CUDA graph, and then repeated. A step of
    training starts thousands of kernels of microseconds each; started one by one from Python they take five times as
    long.

    The function computes on tensors that stay where they are, and never reads a number of the GPU's.
    """

    def __init__(self, function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], warm_up: int = WARM_UP):
        """inputs: as in all calls by type and shape. warm_up: calls before the recording; the recording itself
        computes nothing."""
        self.inputs = [tensor.clone() for tensor in inputs]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(warm_up):
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = function(*self.inputs)

    def __call__(self, *inputs: Tensor) -> Sequence[Tensor]:
        """The function's outputs; the next call writes over them."""
        for place, tensor in zip(self.inputs, inputs, strict=True):
            place.copy_(tensor)
        self.graph.replay()
        return self.outputs
