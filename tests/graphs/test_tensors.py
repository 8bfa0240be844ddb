"""Tensors as model files store them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.graphs.tensors import StoredTensor, checked_shape


@given(st.integers(0, 2**16 - 1))
def test_bfloat16_is_that_of_torch(bits):
    data = bits.to_bytes(2, "little") * 6
    found = StoredTensor("BF16", (2, 3), data).numpy()
    expected = torch.frombuffer(bytearray(data), dtype=torch.bfloat16).reshape(2, 3).float().numpy()
    assert found.shape == (2, 3)
    assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(("type", "dtype"), [("I8", np.int8), ("U8", np.uint8), ("I32", np.int32), ("F16", np.float16)])
def test_other_types_are_those_of_numpy(type, dtype):
    numbers = np.array([[1, 2, 3], [100, 5, 7]], dtype)
    found = StoredTensor(type, (2, 3), numbers.tobytes()).numpy()
    assert found.dtype == dtype
    assert np.array_equal(found, numbers)


def test_another_shape_is_refused():
    tensors = {"a": StoredTensor("I8", (2,), b"ab")}
    assert checked_shape(tensors, "a", [2]) is tensors["a"]
    with pytest.raises(ValueError, match=r"a has shape \(2,\) instead of \(3,\)"):
        checked_shape(tensors, "a", [3])
    with pytest.raises(KeyError):
        checked_shape(tensors, "b", [2])
