"""Every integer layer gives what plain Python integers give, and refuses weights for which it might not."""

import math
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from priors.integer.products import LIMIT, random_numbers, random_product
from reader import integer_prior as page
from torch import nn

from imgcodec.priors.integer import exact
from imgcodec.priors.integer.constants import BoundError
from imgcodec.priors.integer.exact import (
    ExactAttention,
    ExactDepthwise,
    ExactLevelTable,
    ExactLinear,
    ExactTokenCurve,
    check_bounds,
    exact_arithmetic,
    operand,
)

seeds = st.integers(0, 2**32 - 1)
fractions = st.integers(-8, 8)


def to_lists(x):
    """(1, C, h, w) -> the form of `integer_prior`: rows of positions, each a list of channels."""
    assert torch.equal(x, x.round())
    return x[0].permute(1, 2, 0).long().tolist()


def lists(layer):
    """The layer's numbers as `integer_prior` takes them."""
    return layer.weight.flatten(1).long().tolist(), layer.bias.long().tolist(), layer.shift.long().tolist()


def on_page(x, layer):
    return [
        [[page.operand(n, layer.fraction, getattr(layer, "positive", False)) for n in p] for p in r]
        for r in to_lists(x)
    ]


@given(st.lists(st.integers(1 - LIMIT, LIMIT - 1), min_size=1, max_size=50), fractions, st.booleans())
def test_operand(numbers, fraction, positive):
    x = torch.tensor(numbers, dtype=torch.float32)
    assert operand(x, fraction, positive).tolist() == [page.operand(n, fraction, positive) for n in numbers]


@pytest.mark.parametrize(
    ("number", "expected"), [(8, 0), (24, 2), (40, 2), (56, 4), (-8, 0), (-24, -2), (-40, -2), (9, 1)]
)
def test_halves_go_to_the_even_neighbour(number, expected):
    assert operand(torch.tensor([float(number)]), 4, positive=False).item() == expected
    layer = ExactLinear(torch.ones(1, 1, 1, 1), torch.zeros(1), torch.tensor([4.0]), None, False)
    assert layer(torch.full((1, 1, 1, 1), float(number))).item() == expected


@pytest.mark.parametrize(("number", "signed", "positive"), [(10**6, 127, 255), (-(10**6), -127, 0), (200, 127, 200)])
def test_operands_saturate(number, signed, positive):
    x = torch.tensor([float(number)])
    assert operand(x, 8, positive=False).item() == signed
    assert operand(x, 8, positive=True).item() == positive


@given(seeds, st.integers(1, 8), st.integers(1, 6), fractions, st.booleans())
def test_linear(seed, inputs, outputs, fraction, positive):
    rng = np.random.default_rng(seed)
    layer = ExactLinear(*random_product(rng, (outputs, inputs, 1, 1), 255 if positive else 127), fraction, positive)
    x = random_numbers(rng, (1, inputs, 2, 3))
    bound = layer.output_bound()
    result = layer(x)
    assert float(result.abs().max()) <= bound < LIMIT
    assert to_lists(result) == page.product(on_page(x, layer), *lists(layer))


@given(seeds, st.integers(1, 3), st.sampled_from([1, 3, 5]), st.integers(1, 6), st.integers(1, 6), fractions)
def test_depthwise(seed, channels, kernel, height, width, fraction):
    rng = np.random.default_rng(seed)
    layer = ExactDepthwise(*random_product(rng, (channels, 1, kernel, kernel), 127), fraction)
    x = random_numbers(rng, (1, channels, height, width))
    layer.output_bound()
    assert to_lists(layer(x)) == page.depthwise(on_page(x, layer), *lists(layer))


def random_attention(rng, heads, size, window):
    width = heads * size
    projection = random_product(rng, (3 * width, width, 1, 1), 127, smallest_shift=4)
    project = ExactLinear(*projection, int(rng.integers(-8, 9)), False)
    merge = ExactLinear(*random_product(rng, (width, width, 1, 1), 127), int(rng.integers(-8, 9)), False)
    position = torch.from_numpy(rng.integers(-60, 61, (heads, (2 * window - 1) ** 2)))
    return ExactAttention(project, merge, position, tuple(rng.integers(0, 9, 3).tolist()), window)


@given(seeds, st.integers(1, 2), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2))
def test_attention(seed, heads, size, window, rows, columns):
    rng = np.random.default_rng(seed)
    layer = random_attention(rng, heads, size, window)
    assert layer.output_bound() < LIMIT
    x = random_numbers(rng, (1, heads * size, rows * window, columns * window), 2**14)
    inside = torch.from_numpy(rng.random(x.shape[2:]) < 0.7)
    project, merge = layer.project, layer.merge
    projected = page.product(on_page(x, project), *lists(project))
    position = layer.position.long().tolist()
    mixed = page.attention(projected, inside.tolist(), position, list(layer.fractions), window)
    operands = [[[page.operand(n, merge.fraction) for n in position] for position in row] for row in mixed]
    assert to_lists(layer(x, inside.float())) == page.product(operands, *lists(merge))


def test_attention_takes_each_picture_of_a_batch_on_its_own():
    rng = np.random.default_rng(3)
    layer = random_attention(rng, 2, 4, 2)
    x, inside = random_numbers(rng, (3, 8, 4, 6), 2**12), torch.ones(4, 6)
    inside[3:] = 0
    together = layer(x, inside)
    for index in range(3):
        assert torch.equal(together[index], layer(x[index : index + 1], inside)[0])


@given(seeds, st.integers(2, 9), st.integers(0, 25600))
def test_level_table(seed, levels, quality):
    rng = np.random.default_rng(seed)
    rows = random_numbers(rng, (levels, 5))
    result = ExactLevelTable(rows)(quality)
    assert result.shape == (1, 5, 1, 1)
    assert result.flatten().tolist() == page.interpolated(rows.long().tolist(), quality)


@pytest.mark.parametrize("quality", [0, 12800, 25600])
def test_a_level_table_at_a_level_gives_its_row(quality):
    rows = torch.tensor([[1.0, -7], [3, 5], [-9, 2**23]])
    assert ExactLevelTable(rows)(quality).flatten().tolist() == rows[quality // 12800].tolist()


@given(st.lists(st.integers(-600, 600), min_size=1, max_size=20), st.sampled_from([1, 2]))
def test_token_curve(tokens, planes):
    x = torch.tensor(tokens, dtype=torch.float32).reshape(1, -1, 1, 1)
    assert to_lists(ExactTokenCurve(planes)(x)) == [[page.curve(tokens, planes)]]


def test_tables_do_not_depend_on_the_mathematics_library():
    exponentials = [255 * (-Decimal(i) / 16).exp() for i in range(99)]
    curve = [14 * Decimal(1 + t).ln() / Decimal(2).ln() for t in range(513)]
    for numbers, table in ((exponentials, exact.EXPONENTIALS), (curve, exact.CURVE)):
        assert table[: len(numbers)].tolist() == [int(n.to_integral_value()) for n in numbers]
        assert min(abs(n % 1 - Decimal("0.5")) for n in numbers) > Decimal("0.00006")
    assert exact.EXPONENTIALS.tolist()[99:] == [0]


# Bounds


def linear(weight=1.0, bias=0.0, shift=0.0, fraction=8, positive=False, shape=(1, 1)):
    outputs = shape[0]
    numbers = torch.full((*shape, 1, 1), weight), torch.full((outputs,), bias), torch.full((outputs,), shift)
    return ExactLinear(*numbers, fraction, positive)


def attention(channels=1, fractions=(4, 4, 4), position=0.0, window=2, weight=0.0):
    project = linear(weight, shape=(3 * channels, channels))
    merge = linear(0.0, shape=(channels, channels))
    return ExactAttention(project, merge, torch.full((1, (2 * window - 1) ** 2), position), fractions, window)


@pytest.mark.parametrize(("inputs", "positive"), [(1040, False), (518, True)])
def test_the_largest_sums_within_the_bound_are_exact(inputs, positive):
    bias = LIMIT - 1.0 - inputs * 127 * (255 if positive else 127)
    layer = linear(127.0, bias, positive=positive, shape=(1, inputs))
    assert layer.output_bound() == LIMIT - 1
    assert layer(torch.full((1, inputs, 1, 1), 1000.0)).item() == LIMIT - 1
    for more in ({"bias": bias + 1, "shape": (1, inputs)}, {"bias": bias, "shape": (1, inputs + 1)}):
        with pytest.raises(BoundError, match="not exact"):
            linear(127.0, positive=positive, **more).output_bound()


@pytest.mark.parametrize(
    "layer",
    [
        linear(weight=128.0),
        linear(weight=0.5),
        linear(weight=math.nan),
        linear(bias=0.25),
        linear(bias=math.inf),
        linear(bias=float(LIMIT)),
        linear(shift=25.0),
        linear(shift=0.5),
        linear(shift=-18.0),
        linear(fraction=9),
        linear(fraction=-9),
        linear(fraction=3.0),
        linear(fraction=True),
        ExactDepthwise(torch.full((1, 1, 5, 5), 127.0), torch.tensor([-LIMIT + 403225.0]), torch.zeros(1), 4),
        ExactDepthwise(torch.ones(1, 1, 5, 5), torch.zeros(1), torch.zeros(1), 12),
        attention(channels=1041),
        attention(window=23),
        attention(position=0.5),
        attention(position=math.nan),
        attention(position=2049.0),
        attention(fractions=(4, 4, 9)),
        attention(channels=256, fractions=(-2, 0, 4)),
        attention(weight=128.0),
        ExactLevelTable(torch.tensor([[0.5], [0.0]])),
        ExactLevelTable(torch.tensor([[float(LIMIT)], [0.0]])),
        ExactLevelTable(torch.tensor([[math.nan], [0.0]])),
        nn.Sequential(*[ExactLevelTable(torch.full((2, 1), LIMIT / 4)) for _ in range(4)]),
    ],
)
def test_weights_that_could_be_inexact_are_refused(layer):
    with pytest.raises(BoundError):
        check_bounds(layer)


def test_bounds_of_layers_add_up():
    rows = ExactLevelTable(torch.tensor([[-5.0], [3.0]]))
    assert check_bounds(nn.Sequential(rows, linear(weight=2.0, bias=10.0, shift=2.0), rows)) == 5 + 66


# PyTorch's settings


def precisions():
    return [getattr(owner, name) for owner, name, _ in exact._precision_settings()]


def test_arithmetic_is_exact_inside_and_as_before_outside():
    before = precisions()
    with exact_arithmetic():
        assert precisions() == [value for *_, value in exact._precision_settings()]
        with exact_arithmetic():
            pass
        assert precisions() == [value for *_, value in exact._precision_settings()]
        assert torch.is_inference_mode_enabled()
    assert precisions() == before
    assert not torch.is_inference_mode_enabled()


def test_settings_are_restored_after_an_error():
    before = precisions()
    with pytest.raises(RuntimeError, match="on purpose"), exact_arithmetic():
        raise RuntimeError("on purpose")
    assert precisions() == before


def test_autocast_is_off_inside():
    layer = linear(127.0, 1.0, shape=(1, 300))
    x = torch.full((1, 300, 1, 1), 127.0)
    with torch.autocast("cpu", torch.bfloat16):
        with exact_arithmetic():
            assert not torch.is_autocast_enabled("cpu")
            assert layer(x).item() == 300 * 127 * 127 + 1
        assert torch.is_autocast_enabled("cpu")


OLDER = ["set_float32_matmul_precision('medium')", "backends.cuda.matmul.allow_tf32 = True"]
NEWER = ["backends.fp32_precision = 'tf32'", "backends.mkldnn.matmul.fp32_precision = 'bf16'"]
HAS_NEWER = hasattr(torch.backends.cuda.matmul, "fp32_precision")  # since 2.9


@pytest.mark.parametrize("settings", [OLDER, NEWER] if HAS_NEWER else [OLDER])
def test_programs_that_asked_for_less_precision_get_exact_sums_and_keep_their_settings(settings):
    """In processes of their own, because PyTorch refuses to go back from the newer interface to the older one."""
    program = """
import sys, torch
from imgcodec.priors.integer import exact

def settings():
    return [getattr(owner, name) for owner, name, _ in exact._precision_settings()]

x, w = torch.full((64, 500), 127.0), torch.full((500, 64), 127.0)
w[0] = 126
for setting in sys.argv[1:]:
    exec("torch." + setting)
    before = settings()
    with exact.exact_arithmetic():
        assert ((x @ w) == 500 * 127**2 - 127).all()
    assert settings() == before
"""
    subprocess.run([sys.executable, "-c", program, *settings], check=True)
