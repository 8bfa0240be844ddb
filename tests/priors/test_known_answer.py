"""A machine whose arithmetic is broken refuses every model: here simulated, one fault in one kind of product each."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from imgcodec.bitstream.errors import CodecError
from imgcodec.model import load_photo_model
from imgcodec.priors import exact, known_answer

TINY = str(Path(__file__).parents[1] / "golden" / "tiny.safetensors")
MATMUL = torch.Tensor.__matmul__


def sound(operands: Tensor, weights: Tensor) -> Tensor:
    return MATMUL(operands, weights)


def pairs_saturated_to_16_bits(operands: Tensor, weights: Tensor) -> Tensor:
    """As VPMADDUBSW: unsigned times signed bytes, added in pairs. Signed operands are moved up by 128 before, and what
    that adds is taken off after, as oneDNN does."""
    offset = 128.0 if operands.min() < 0 else 0.0
    total = -offset * weights.sum(-2, keepdim=True)
    for k in range(0, operands.shape[-1], 2):
        pair = MATMUL(operands[..., k : k + 2] + offset, weights[..., k : k + 2, :])
        total = total + pair.clamp(-(2**15), 2**15 - 1)
    return total


def low_bit_dropped(operands: Tensor, weights: Tensor) -> Tensor:
    return (MATMUL(operands, weights) / 2).floor() * 2


def operands_of_7_bits(operands: Tensor, weights: Tensor) -> Tensor:
    return MATMUL((operands / 2).round() * 2, weights)


def weights_of_7_bits(operands: Tensor, weights: Tensor) -> Tensor:
    return MATMUL(operands, (weights / 2).round() * 2)


FAULTS = [pairs_saturated_to_16_bits, low_bit_dropped, operands_of_7_bits, weights_of_7_bits]


@pytest.fixture
def machine(monkeypatch):
    """Makes products of this kind be computed by `product` (..., M, K) x (..., K, N) -> (..., M, N)."""
    conv2d = F.conv2d

    def with_product(kind, product):
        def convolve(x, weight, bias, padding=0, groups=1):
            if kind != ("depthwise" if groups > 1 else "1x1"):
                return conv2d(x, weight, bias, padding=padding, groups=groups)
            patches = F.unfold(x, weight.shape[-1], padding=padding).unflatten(1, (groups, -1)).transpose(2, 3)
            sums = product(patches, weight.flatten(1).unflatten(0, (groups, -1)).transpose(1, 2))
            return sums.transpose(2, 3).reshape(len(x), -1, *x.shape[2:]) + bias[:, None, None]

        monkeypatch.setattr(F, "conv2d", convolve)
        if kind == "attention":
            monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: product(a, b))

    return with_product


@pytest.mark.parametrize("kind", ["1x1", "depthwise", "attention"])
def test_a_broken_machine_is_refused(machine, kind):
    machine(kind, sound)
    load_photo_model(TINY)
    for fault in FAULTS:
        machine(kind, fault)
        with pytest.raises(CodecError, match="this machine computes tiny differently"):
            load_photo_model(TINY)


def test_products_are_tried_over_the_whole_range(monkeypatch):
    """Operands reach both ends, and some sum is the largest that the weights allow."""
    prior = load_photo_model(TINY).prior
    seen, conv2d = [], F.conv2d

    def spy(x, weight, bias, padding=0, groups=1):
        out = conv2d(x, weight, bias, padding=padding, groups=groups)
        ends = float(x.min()), float(x.max())
        largest = exact.LARGEST_POSITIVE_OPERAND if ends[0] == 0 else exact.LARGEST_OPERAND
        signed = weight if ends[0] == 0 else weight.abs()
        reached = (out - bias[:, None, None]).amax((0, 2, 3)) / (signed.clamp(min=0).flatten(1).sum(1) * largest)
        seen.append((ends, float(reached.max())))
        return out

    with exact.exact_arithmetic():
        monkeypatch.setattr(F, "conv2d", spy)
        outputs = list(known_answer._products(prior))
    assert len(seen) >= 15
    assert len(outputs) > len(seen)  # attention has no convolutions here
    assert {ends for ends, _ in seen} == {(-127.0, 127.0), (0.0, 255.0)}
    assert all(is_reached for _, is_reached in seen)
