"""The transforms: sizes, the linear paths they start as, how far they see, and what they cost at the default sizes."""

import pytest
import torch
from multiplications import multiplications
from torch import nn
from torch.nn import functional as F

from imgcodec.tokenizers.blocks import BLOCK, MAX_BLOCKS, MAX_WIDTH, check_transforms
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig
from imgcodec.tokenizers.transforms import Analysis, Synthesis


def shaken(transform):
    """With random weights everywhere."""
    torch.manual_seed(3)
    for layer in transform.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, 1 / layer.weight[0].numel() ** 0.5)
            nn.init.normal_(layer.bias, 0, 0.1)
    return transform.requires_grad_(False)


def test_transforms_of_any_batch_and_size():
    analysis, synthesis = shaken(Analysis(5, (8, 4), (2, 1))), shaken(Synthesis(5, (8, 4), (1, 2), levels=4))
    latent = analysis(torch.rand(2, 3, 64, 128))
    assert latent.shape == (2, 5, 4, 8)
    assert synthesis(latent, torch.tensor([0.5, 3])).shape == (2, 3, 64, 128)


def test_new_transforms_are_their_linear_paths():
    analysis, synthesis = Analysis(5, (8, 4), (2, 1)), Synthesis(5, (8, 4), (1, 2), levels=4)
    pixels, latent, level = torch.rand(1, 3, 32, 48), torch.randn(1, 5, 2, 3), torch.tensor([1.5])
    assert torch.equal(analysis(pixels), F.conv2d(pixels - 0.5, analysis.linear.weight, analysis.linear.bias, BLOCK))
    blocks = F.conv2d(latent, synthesis.linear.weight, synthesis.linear.bias)
    assert torch.equal(synthesis(latent, level), F.pixel_shuffle(blocks, BLOCK) + 0.5)


def test_each_picture_of_a_batch_has_the_bias_of_its_level():
    synthesis = shaken(Synthesis(5, (8, 4), (1, 1), levels=3))
    nn.init.normal_(synthesis.level)
    latent = torch.randn(1, 5, 2, 2).repeat(2, 1, 1, 1)
    first, second = synthesis(latent, torch.tensor([0.0, 1.5]))
    assert (first - second).abs().max() > 1e-3
    for pixels, level in ((first, 0.0), (second, 1.5)):
        torch.testing.assert_close(synthesis(latent[:1], torch.tensor([level]))[0], pixels)


def extent(difference):
    """The first and the last row and column in which a plane (H, W) is not zero, but for rounding."""
    places = (difference > 1e-4 * difference.max()).nonzero()
    return places.amin(0).tolist(), places.amax(0).tolist()


@pytest.mark.parametrize(("blocks", "kernel"), [((0, 0), 3), ((2, 1), 3), ((2, 1), 1), ((1, 2), 5)])
def test_nothing_depends_on_what_is_beyond_the_halo(blocks, kernel):
    analysis, synthesis = (shaken(kind(6, (8, 6), blocks, kernel)) for kind in (Analysis, Synthesis))
    pixels, latent = torch.rand(1, 3, 13 * BLOCK, 13 * BLOCK), torch.randn(1, 6, 13, 13)
    middle = slice(6 * BLOCK, 7 * BLOCK)
    changed = pixels.clone()
    changed[:, :, middle, middle] = torch.rand(1, 3, BLOCK, BLOCK)
    first, last = extent((analysis(changed) - analysis(pixels)).abs().sum(1)[0])
    assert (first, last) == ([6 - analysis.halo] * 2, [6 + analysis.halo] * 2)
    changed = latent.clone()
    changed[:, :, 6, 6] += 1
    first, last = extent((synthesis(changed) - synthesis(latent)).abs().sum(1)[0])
    assert min(first) >= (6 - synthesis.halo) * BLOCK
    assert max(last) < (7 + synthesis.halo) * BLOCK


@pytest.mark.parametrize(
    ("channels", "widths", "blocks"),
    [
        (0, (4, 4), (1, 1)),
        (4, (4, 0), (1, 1)),
        (4, (MAX_WIDTH + 1, 4), (1, 1)),
        (MAX_WIDTH + 1, (4, 4), (1, 1)),
        (4, (4, 4), (-1, 1)),
        (4, (4, 4), (1, MAX_BLOCKS + 1)),
    ],
)
def test_transforms_that_no_model_needs_are_refused(channels, widths, blocks):
    check_transforms(MAX_WIDTH, (1, MAX_WIDTH), (0, MAX_BLOCKS))
    with pytest.raises(ValueError, match=r"wide|blocks"):
        check_transforms(channels, widths, blocks)


def test_the_transforms_are_within_their_budget():
    made = ResidualVQ(RVQConfig()).requires_grad_(False)
    pixels, latent, level = torch.zeros(1, 3, 128, 128), torch.zeros(1, 320, 8, 8), torch.zeros(1)
    analysis = multiplications(lambda: made.analysis(pixels)) / 128**2
    synthesis = multiplications(lambda: made.synthesis(latent, level)) / 128**2
    assert 5_000 < analysis <= 40_000
    assert 5_000 < synthesis <= 25_000


@pytest.mark.parametrize("reduction", [1, 2, 4, 8, 16])
def test_reduced_pixels_are_means_of_the_linear_path(reduction):
    torch.manual_seed(2)
    synthesis = Synthesis(5, (8, 4), (1, 2)).requires_grad_(False)  # whose net adds nothing yet
    latent = torch.randn(2, 5, 3, 4)
    expected = F.avg_pool2d(synthesis(latent), reduction)
    assert torch.allclose(synthesis.reduced(latent, reduction), expected, atol=1e-5)
