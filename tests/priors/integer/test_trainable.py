"""What is trained is what runs: fake quantization gives the numbers of the exported layers."""

from copy import deepcopy

import torch
from hypothesis import given
from hypothesis import strategies as st
from priors.photo.small import CONFIG, exact_prior, exactly, float_prior, parameters, random_tokens
from torch import nn

from imgcodec.priors.integer import constants, exact, trainable
from imgcodec.priors.integer.trainable import (
    Attention,
    Depthwise,
    LevelTable,
    Linear,
    Operand,
    TokenCurve,
    calibrate,
    export,
    restore,
)
from imgcodec.priors.photo.transformer import PhotoPrior

UNIT = 2.0**-constants.FRACTION
seeds = st.integers(0, 2**32 - 1)


def quantized(layer, fraction, seed):
    """The layer with random weights, fake quantization on, and biases that an integer stands for."""
    torch.manual_seed(seed)
    nn.init.normal_(layer.weight, 0, float(torch.rand(1)))
    layer.quantized = True
    if layer.operand is not None:
        layer.operand.fraction = fraction
    operand_fraction = constants.TOKEN_FRACTION if layer.operand is None else fraction
    unit = torch.exp2(-trainable.weight_fraction(layer.weight).flatten() - operand_fraction)
    layer.bias.data = (torch.randn_like(layer.bias) / unit).round() * unit
    return layer


def in_units(x, fraction=constants.FRACTION):
    """Real numbers -> the integers that stand for them between layers."""
    return (x * 2.0**fraction).round()


@given(seeds, st.integers(-2, 8), st.booleans(), st.sampled_from([constants.FRACTION, constants.PARAMETER_FRACTION]))
def test_linear(seed, fraction, positive, output):
    layer = quantized(Linear(6, 5, positive, fraction=output), fraction, seed)
    x = torch.randn(2, 6, 3, 4).mul(300).round() * UNIT
    assert torch.equal(in_units(layer(x), output), layer.export()(in_units(x)))


@given(seeds, st.sampled_from([1, 2]))
def test_linear_on_tokens(seed, planes):
    layer = quantized(Linear(3 * planes, 5, tokens=True), None, seed)
    tokens = torch.randn(1, 3, 3, 4).mul(100).round().clamp(-511, 511)
    curve = TokenCurve(planes)
    operands = curve.export()(tokens)
    assert torch.equal(curve(tokens) * 2**constants.TOKEN_FRACTION, operands)
    assert torch.equal(in_units(layer(curve(tokens))), layer.export()(operands))


@given(seeds, st.integers(-2, 8))
def test_depthwise(seed, fraction):
    layer = quantized(Depthwise(4, 5), fraction, seed)
    x = torch.randn(1, 4, 6, 7).mul(300).round() * UNIT
    assert torch.equal(in_units(layer(x)), layer.export()(in_units(x)))


def test_attention_is_close_to_its_integers():
    """Not equal: scores are rounded to sixteenths, weights to 255ths, and mixed values down."""
    torch.manual_seed(1)
    layer = Attention(16, 2, 4)
    nn.init.normal_(layer.merge.weight, 0, 0.25)
    nn.init.normal_(layer.position, 0, 0.5)
    inside = torch.ones(8, 4)
    inside[6:] = 0
    x = torch.randn(3, 16, 8, 4)
    layer.requires_grad_(False)
    calibrate(layer, lambda: layer(x, inside))
    expected = layer(x, inside)
    error = layer.export()(in_units(x), inside) * UNIT - expected
    assert float(error.std()) < 0.05 * float(expected.std())


@given(seeds, st.integers(0, 25600))
def test_level_table(seed, quality):
    torch.manual_seed(seed)
    layer = LevelTable(5, 3).requires_grad_(False)
    nn.init.normal_(layer.rows)
    level = torch.tensor([quality / 25600 * 4])
    error = layer.export()(quality) * UNIT - layer(level)
    assert float(error.abs().max()) <= UNIT + 1e-5


def test_a_gradient_passes_through_rounding_but_not_through_saturation():
    operand = Operand()
    operand.fraction = 4
    x = torch.tensor([-100.0, -1.03, 0.51, 100.0], requires_grad=True)
    operand(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]
    weight = torch.randn(3, 2, 1, 1, requires_grad=True)
    trainable.fake_weight(weight).sum().backward()
    assert (weight.grad == 1).all()


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6))
def test_rounded_weights_fill_their_eight_bits(numbers):
    weight = torch.tensor(numbers, dtype=torch.float32).reshape(1, -1, 1, 1)
    fraction = trainable.weight_fraction(weight)
    largest = float((weight * torch.exp2(fraction)).round().abs().max())
    assert largest <= 127
    assert largest >= 63 or fraction == 14


def test_weights_are_coarser_where_sums_would_be_inexact():
    layer = Linear(1100, 2)
    layer.weight.data[0] = 127 / 128  # 1100 * 127 * 127 is too much
    layer.weight.data[1] = 1 / 2
    layer.bias.data.fill_(3.0)
    layer.operand.fraction = 4
    integers = layer.export()
    integers.output_bound()
    assert integers.weight.flatten(1).unique(dim=1).flatten().tolist() == [64, 64]  # 63.5, to the even one
    assert integers.shift.tolist() == [6 + 4 - 8, 7 + 4 - 8]
    assert integers(in_units(torch.ones(1, 1100, 1, 1))).flatten().tolist() == [(1100 + 3) * 256, (550 + 3) * 256]


def test_calibration_takes_the_unit_with_the_least_error():
    layer = Linear(1, 1, positive=True)
    ramp = torch.linspace(-3, 3, 20001).reshape(1, 1, -1, 1)
    assert layer.operand.fraction == trainable.FLOAT
    assert torch.equal(layer.operand(ramp), ramp.relu())
    calibrate(layer, lambda: layer(ramp))
    assert layer.operand.fraction == 6  # 255 / 64 = 3.98 holds all; 255 / 128 = 1.99 does not
    assert layer.quantized
    assert layer.operand.observe is None


def test_export_leaves_integers_only():
    prior = exact_prior()
    kinds = (Linear, Depthwise, Attention, LevelTable, TokenCurve, Operand)
    assert not [module for module in prior.modules() if isinstance(module, kinds)]
    assert not list(prior.parameters())
    assert all(torch.equal(tensor, tensor.round()) for tensor in prior.state_dict().values())
    assert exact.check_bounds(prior) < constants.LIMIT


def test_the_integers_of_a_prior_predict_what_its_floats_did():
    """To a sixteenth of a token or two, or a tenth of the deviation of the parameters. (Random weights amplify rounding
    errors, trained ones do not: a model's card says what the integers cost it.)"""
    tokens = random_tokens((1, 4, 4), 77)
    fake = parameters(float_prior(), tokens, torch.tensor([1.3]))
    integers = exactly(lambda: parameters(exact_prior(), tokens, round(1.3 / 2 * 25600)))
    for step, numbers in fake.items():
        error = (numbers * 2**constants.PARAMETER_FRACTION - integers[step]).abs()
        assert float(error.mean()) < max(1.5, 0.1 * float(integers[step].std()))


def test_restoring_an_export_gives_the_same_integers():
    prior = PhotoPrior(CONFIG)
    restore(prior, exact_prior())
    again = deepcopy(prior)
    export(again)
    tokens = random_tokens((1, 4, 4), 78)
    expected = exactly(lambda: parameters(exact_prior(), tokens, 20000))
    for step, numbers in exactly(lambda: parameters(again, tokens, 20000)).items():
        assert torch.equal(numbers, expected[step])
