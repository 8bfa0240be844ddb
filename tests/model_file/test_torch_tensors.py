"""Tensors of model files, as PyTorch has them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from imgcodec.model_file.torch_tensors import as_torch, checked, fill
from imgcodec.model_file.untrusted import read_tensors

TINY = Path(__file__).parents[1] / "golden" / "tiny.safetensors"


def test_they_are_what_the_library_reads():
    found, expected = as_torch(read_tensors(TINY, 2**20)[0]), load_file(TINY)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_a_tensor_of_another_shape_is_refused():
    tensors = {"a": torch.ones(2, 3, dtype=torch.int8)}
    assert checked(tensors, "a", torch.Size((2, 3))).dtype == torch.float32
    with pytest.raises(ValueError, match=r"a has shape \(2, 3\) instead of \(3, 2\)"):
        checked(tensors, "a", torch.Size((3, 2)))


def test_weights_of_eight_bits_are_multiplied_by_their_scales():
    with torch.device("meta"):
        layer = nn.Sequential(nn.Linear(3, 2))
    weight, scale, bias = (
        torch.tensor([[1, 2, 3], [-4, 5, 127]], dtype=torch.int8),
        torch.tensor([[0.5], [2.0]]),
        torch.ones(2),
    )
    tensors = {"tokenizer.0.weight": weight, "tokenizer.0.weight.scale": scale, "tokenizer.0.bias": bias}
    fill(layer, tensors)
    assert layer[0].weight.tolist() == [[0.5, 1, 1.5], [-8, 10, 254]]
    with pytest.raises(ValueError, match=r"weight\.scale has shape \(2,\) instead of \(2, 1\)"):
        fill(layer, {**tensors, "tokenizer.0.weight.scale": scale[:, 0]})
    with pytest.raises(KeyError):
        fill(layer, {"tokenizer.0.weight": weight})
