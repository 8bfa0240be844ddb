"""The post filter: nothing at first, then a few pixels around each, by the level."""

import pytest
import torch
from torch import nn

from imgcodec.tokenizers.post_filter import PostFilter

BLOCKS = 2


@pytest.fixture
def shaken():
    torch.manual_seed(2)
    made = PostFilter(6, levels=3, blocks=BLOCKS).requires_grad_(False)
    nn.init.normal_(made.last.weight)
    for block in made.blocks:
        nn.init.normal_(block.weight)
    nn.init.normal_(made.level)
    return made


def test_a_new_one_adds_nothing_and_has_a_gradient():
    made = PostFilter(6, levels=3)
    added = made(torch.rand(2, 3, 8, 12) - 0.5, torch.tensor([0.0, 1.5]))
    assert added.shape == (2, 3, 8, 12)
    assert not added.any()
    added.square().sum().backward()
    assert not made.last.weight.grad.any()  # of the square of zero
    (made(torch.rand(1, 3, 8, 8) - 0.5, torch.tensor([1.0])) - 1).square().sum().backward()
    assert made.last.weight.grad.abs().max() > 1e-3


def test_each_picture_of_a_batch_has_its_level(shaken):
    pixels = (torch.rand(1, 3, 8, 8) - 0.5).repeat(2, 1, 1, 1)
    first, second = shaken(pixels, torch.tensor([0.0, 1.5]))
    assert (first - second).abs().max() > 1e-3
    torch.testing.assert_close(shaken(pixels[:1], torch.tensor([1.5]))[0], second)


def test_new_blocks_change_nothing_and_have_a_gradient():
    torch.manual_seed(2)
    few, more = PostFilter(6, levels=3), PostFilter(6, levels=3, blocks=BLOCKS)
    nn.init.normal_(few.last.weight)
    assert set(more.load_state_dict(few.state_dict(), strict=False).missing_keys) == {
        f"blocks.{block}.{name}" for block in range(BLOCKS) for name in ("weight", "bias")
    }
    pixels, level = torch.rand(2, 3, 8, 12) - 0.5, torch.tensor([0.0, 1.5])
    torch.testing.assert_close(more(pixels, level), few(pixels, level), rtol=0, atol=0)
    more(pixels, level).square().sum().backward()
    assert all(block.weight.grad.any() for block in more.blocks)


def test_a_pixel_reaches_so_many_squares_as_there_are_layers_at_most(shaken):
    reach = 2 * (3 + BLOCKS)
    pixels, level = torch.rand(1, 3, 48, 48) - 0.5, torch.tensor([1.0])
    changed = pixels.clone()
    changed[:, :, 24:26, 22:24] += 0.5
    rows, columns = ((shaken(changed, level) - shaken(pixels, level)).abs().amax((0, 1)) > 1e-7).nonzero().T
    assert 24 - reach <= rows.min() < 24
    assert 25 < rows.max() <= 25 + reach
    assert columns.min() >= 22 - reach
    assert columns.max() <= 23 + reach
