"""The upscaler: twice the sides, the bicubic filter at first, pixels within their range."""

import pytest
import torch
from torch.nn import functional as F

from imgcodec.tokenizers.upscaler import Upscaler, UpscalerConfig


def test_it_begins_as_the_bicubic_filter():
    pixels = torch.rand(2, 3, 5, 8)
    filtered = F.interpolate(pixels, scale_factor=2, mode="bicubic")
    larger = Upscaler(UpscalerConfig(4, 1))(pixels)
    assert larger.shape == (2, 3, 10, 16)
    assert torch.equal(larger, filtered)


def test_what_it_gives_is_within_the_range_of_pixels_but_while_it_learns():
    torch.manual_seed(0)
    upscaler = Upscaler(UpscalerConfig(4, 2))
    torch.nn.init.normal_(upscaler.net[-2].weight)
    pixels = torch.rand(1, 3, 8, 8)
    learning = upscaler(pixels)
    assert learning.min() < 0
    assert learning.max() > 1
    with torch.inference_mode():
        assert torch.equal(upscaler(pixels), learning.clamp(0, 1))


@pytest.mark.parametrize("sizes", [(0, 1), (5000, 1), (4, -1), (4, 65)])
def test_sizes_that_no_model_needs_are_refused(sizes):
    with pytest.raises(ValueError, match="an upscaler is"):
        UpscalerConfig(*sizes)
