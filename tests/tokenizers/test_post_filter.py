"""The post filter: nothing at first, then a few pixels around each, by the level."""

import pytest
import torch
from torch import nn

from imgcodec.tokenizers.post_filter import PostFilter


@pytest.fixture
def shaken():
    torch.manual_seed(2)
    made = PostFilter(6, levels=3).requires_grad_(False)
    nn.init.normal_(made.last.weight)
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


def test_a_pixel_reaches_six_pixels_at_most(shaken):
    pixels, level = torch.rand(1, 3, 32, 32) - 0.5, torch.tensor([1.0])
    changed = pixels.clone()
    changed[:, :, 16:18, 14:16] += 0.5
    rows, columns = ((shaken(changed, level) - shaken(pixels, level)).abs().amax((0, 1)) > 1e-7).nonzero().T
    assert 16 - 6 <= rows.min() < 16
    assert 17 < rows.max() <= 17 + 6
    assert columns.min() >= 14 - 6
    assert columns.max() <= 15 + 6
