"""The tensors of a model file as those of PyTorch, and modules that get them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from imgcodec.graphs.tensors import STORED_TYPES, StoredTensor


def as_torch(stored: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    """The same tensors; they share no memory with the stored ones."""
    return {name: _as_torch(tensor) for name, tensor in stored.items()}


def _as_torch(tensor: StoredTensor) -> Tensor:
    dtype = getattr(torch, STORED_TYPES[tensor.type])
    if not len(tensor.data):
        return torch.empty(tensor.shape, dtype=dtype)
    return torch.frombuffer(bytearray(tensor.data), dtype=dtype).reshape(tensor.shape)


def fill(tokenizer: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Gives a tokenizer that was built on the meta device the tensors of a file; int8 weights are multiplied by their
    scales, (outputs, 1, ...). Raises ValueError or KeyError where they do not fit."""
    state = {n: checked(tensors, f"tokenizer.{n}", t.shape) for n, t in tokenizer.state_dict().items()}
    for name in state:
        if f"tokenizer.{name}.scale" in tensors:
            shape = torch.Size((len(state[name]), *(1 for _ in state[name].shape[1:])))
            state[name] = state[name] * checked(tensors, f"tokenizer.{name}.scale", shape)
    tokenizer.load_state_dict(state, assign=True)


def checked(tensors: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    """A tensor of a file, in float32. Raises ValueError where it has another shape, KeyError where it is missing."""
    tensor = tensors[name]
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)} instead of {tuple(shape)}")
    return tensor.float()
