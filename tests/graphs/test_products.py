"""Products of bytes: exact where an engine has enough bits for their sums, and found out where it has not."""

import numpy as np
import onnx
import pytest
from graphs.graph_models import run

from imgcodec.graphs.products import WEIGHT_ZERO, Products, as_unsigned, probe
from imgcodec.profiles.photo.onnx_model import is_exact

OF_BYTES = (Products.SIGNED, Products.UNSIGNED)


def weight_of(model):
    """The weights of a probe, as they are stored."""
    (weight,) = {
        a.tobytes(): a for a in map(onnx.numpy_helper.to_array, model.graph.initializer) if a.ndim == 2
    }.values()
    return weight.astype(np.int64)


def cut_to_16_bits(weight, operands):
    """The product of a processor that adds two products of bytes in 16 bits."""
    pairs = weight[:, :, None] * operands[None]
    return sum((pairs[:, k] + pairs[:, k + 1]).clip(-(2**15), 2**15 - 1) for k in range(0, weight.shape[1], 2))


@pytest.mark.parametrize("products", OF_BYTES)
@pytest.mark.parametrize("is_optimized", [False, True])
def test_a_probe_knows_the_sums(products, is_optimized):
    graph, feeds, expected = probe(products)
    model = onnx.load_model_from_string(graph.to_bytes())
    onnx.checker.check_model(model, full_check=True)
    found = np.stack(list(run(graph, feeds, is_optimized).values()))
    # all processors have the bits for unsigned bytes, and some for signed ones
    assert np.array_equal(found, expected) == (products == Products.UNSIGNED or is_exact(products))
    weight = weight_of(model)
    for name, sums, of_positive in (("signed", expected[0], False), ("positive", expected[1], True)):
        meant = feeds[name].astype(np.int64) - products.zero(of_positive).astype(np.int64)
        assert {*np.unique(meant)} == ({0, 255} if of_positive else {-127, 127})
        assert np.array_equal((weight - WEIGHT_ZERO.astype(np.int64)) @ meant, sums)


def test_a_probe_tells_a_processor_with_too_few_bits():
    """Which multiplies a weight as it is stored, 0 to 255, and takes away afterwards what its zero adds."""
    graph, feeds, expected = probe(Products.SIGNED)
    weight = weight_of(onnx.load_model_from_string(graph.to_bytes()))
    for name, sums, zero in (("signed", expected[0], 0), ("positive", expected[1], -128)):
        operands = feeds[name].astype(np.int64)
        right = (weight - 128) @ (operands - zero)
        assert np.array_equal(right, sums)
        cut = cut_to_16_bits(weight, operands) - 128 * operands.sum(0) - zero * (weight - 128).sum(1)[:, None]
        assert (cut != sums).mean() > 0.9


def test_unsigned_weights():
    assert as_unsigned(np.array([-127, 0, 127], np.int8)).tolist() == [1, 128, 255]
