"""A machine whose arithmetic is broken refuses every model: here simulated, one fault in one kind of product each."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from priors.raster.small import NAMES, exact_prior
from torch import Tensor
from torch.nn import functional as F

from imgcodec.bitstream.errors import CodecError
from imgcodec.priors.integer import constants, exact, known_answer
from imgcodec.priors.integer.exact_causal import ExactCausalAttention, ExactDense
from imgcodec.profiles.photo.model import load_photo_model

TINY = str(Path(__file__).parents[2] / "golden" / "tiny.safetensors")
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
        with pytest.raises(CodecError, match="This machine computes tiny differently"):
            load_photo_model(TINY)


def test_photo_layers_are_tried_over_the_whole_range(monkeypatch):
    """Operands reach both ends, and some sum is the largest that the weights allow."""
    prior = load_photo_model(TINY).prior
    seen, conv2d = [], F.conv2d

    def spy(x, weight, bias, padding=0, groups=1):
        out = conv2d(x, weight, bias, padding=padding, groups=groups)
        ends = float(x.min()), float(x.max())
        largest = constants.MAX_POSITIVE_OPERAND if ends[0] == 0 else constants.MAX_OPERAND
        signed = weight if ends[0] == 0 else weight.abs()
        reached = (out - bias[:, None, None]).amax((0, 2, 3)) / (signed.clamp(min=0).flatten(1).sum(1) * largest)
        seen.append((ends, float(reached.max())))
        return out

    with exact.exact_arithmetic():
        monkeypatch.setattr(F, "conv2d", spy)
        outputs = list(known_answer._photo_layers(prior))
    assert len(seen) >= 15
    assert len(outputs) > len(seen)  # attention has no convolutions here
    assert {ends for ends, _ in seen} == {(-127.0, 127.0), (0.0, 255.0)}
    assert all(is_reached for _, is_reached in seen)


# Raster priors


@pytest.fixture
def raster_machine(monkeypatch):
    """As `machine`, for layers with the channels last."""
    linear, bmm = F.linear, torch.bmm

    def with_product(kind, product):
        dense = kind == "dense"
        monkeypatch.setattr(F, "linear", lambda x, w, b: product(x, w.T) + b if dense else linear(x, w, b))
        monkeypatch.setattr(torch.Tensor, "__matmul__", MATMUL if dense else lambda a, b: product(a, b))
        monkeypatch.setattr(torch, "bmm", bmm if dense else product)

    return with_product


@pytest.mark.parametrize("kind", ["dense", "attention"])
@pytest.mark.parametrize("name", ["raster", "stages"])
def test_a_broken_machine_gives_a_raster_prior_another_answer(raster_machine, kind, name):
    prior = exact_prior(name)
    answer = known_answer.known_answer(prior)
    raster_machine(kind, sound)
    assert known_answer.known_answer(prior) == answer
    for fault in FAULTS:
        raster_machine(kind, fault)
        assert known_answer.known_answer(prior) != answer


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_weight_gives_another_answer(name):
    answer = known_answer.known_answer(exact_prior(name))
    assert known_answer.known_answer(exact_prior(name)) == answer
    prior = deepcopy(exact_prior(name))
    for layer in prior.modules():
        if isinstance(layer, ExactDense):
            layer.weight[-2:] += 8  # one weight and one unit can be lost in rounding
            assert known_answer.known_answer(prior) != answer
            layer.weight[-2:] -= 8
    assert known_answer.known_answer(prior) == answer


def test_raster_layers_are_tried_over_the_whole_range(monkeypatch):
    """Operands reach both ends, some sum is the largest that the weights allow, and attention has its largest sum."""
    prior = exact_prior("stages")
    ends, mixed, linear, mix = set(), [], F.linear, ExactCausalAttention.mix

    def spy(x, weight, bias):
        out = linear(x, weight, bias)
        positive = float(x.min()) == 0
        largest = weight.clamp(min=0).sum(1) * 255 if positive else weight.abs().sum(1) * 127
        assert ((out - bias).amax((0, 1, 2)) == largest).any()
        ends.add((float(x.min()), float(x.max())))
        return out

    def mix_spy(layer, products, values):
        mixed.append((float(products.max()), float(values.sum(1).max())))
        return mix(layer, products, values)

    with exact.exact_arithmetic():
        monkeypatch.setattr(F, "linear", spy)
        monkeypatch.setattr(ExactCausalAttention, "mix", mix_spy)
        list(known_answer._raster_layers(prior))
    assert ends == {(-127.0, 127.0), (0.0, 255.0)}
    assert mixed == [(4 * 127**2, 512 * 127)]
