"""Layers of the transforms: what they are at first, and what is between two levels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from imgcodec.tokenizers.layers import ResidualBlock, cut, interpolate_levels, straight_through, zero_init


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_new_residual_block_changes_nothing_and_learns(kernel):
    block, x = ResidualBlock(4, kernel), torch.randn(2, 4, 5, 7)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.second.weight.grad.abs().sum() > 0
    nn.init.normal_(block.second.weight)
    assert block(x).shape == x.shape
    assert not torch.allclose(block(x), x)


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_at_zero(bias):
    layer = zero_init(nn.Conv2d(3, 2, 1, bias=bias))
    assert not layer(torch.randn(1, 3, 4, 4)).any()


def test_levels_are_rows_and_what_is_between_them():
    table = torch.tensor([[0.0, 5.0], [2.0, 4.0], [6.0, 4.0]])
    found = interpolate_levels(table, torch.tensor([0.0, 1.0, 2.0, 0.25, 1.5]))
    assert found.shape == (5, 2, 1, 1)
    expected = torch.tensor([[0, 5], [2, 4], [6, 4], [0.5, 4.75], [4, 4]])
    torch.testing.assert_close(found[:, :, 0, 0], expected)


@given(st.floats(-3, 8))
def test_levels_go_on_along_a_line_beyond_the_ends(level):
    """Of a table that is one line, all of it comes back."""
    table = torch.arange(6.0)[:, None] * torch.tensor([1.0, -3.0]) + 7
    found = interpolate_levels(table, torch.tensor([level]))[0, :, 0, 0]
    torch.testing.assert_close(found, torch.tensor([level + 7, 7 - 3 * level]), rtol=1e-5, atol=1e-4)


def test_hard_values_have_the_gradient_of_soft_ones():
    soft = torch.tensor([0.4, -1.6, 2.5], requires_grad=True)
    found = straight_through((soft * 3).round(), soft)
    torch.testing.assert_close(found, torch.tensor([1.0, -5.0, 8.0]))
    found.square().sum().backward()
    torch.testing.assert_close(soft.grad, 2 * found.detach())


def test_what_is_cut_off_is_too_far_from_what_is_shown():
    x = torch.arange(2 * 3 * 10 * 12.0).reshape(2, 3, 10, 12)
    part, shown = cut(x, (4, 1, 6, 12), 2)
    assert torch.equal(part, x[:, :, 2:8, 0:12])
    assert shown == (2, 1, 4, 12)
    assert torch.equal(cut(part, shown, 0)[0], x[:, :, 4:6, 1:12])
    assert cut(x, None, 2) == (x, None)
