"""The weight of errors: highest where contrast is low, lowest where it is high."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.profiles.photo.masking import importance
from imgcodec.profiles.photo.tiling import analyse, quantize_latent
from imgcodec.tokenizers.masking import HIGHEST
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig


def weights_of(codec: PhotoCodec, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    transforms = codec.photo.transforms
    pieces = analyse(transforms, pixels)
    return quantize_latent(transforms, pieces, pixels.shape[:2], 1.0, masked=True)[1]


def test_errors_in_flat_regions_weigh_more_than_in_busy_ones(tiny_codec: PhotoCodec) -> None:
    pixels = np.full((64, 700, 3), 128, np.uint8)
    wave = (100 * np.sin(np.arange(700) * 2 * np.pi / 16)).astype(int)
    pixels[:, 352:] = (128 + wave[352:])[None, :, None]
    weights = weights_of(tiny_codec, pixels)
    assert weights.shape == (4, 44)
    assert (weights > 0).all()
    assert (weights <= HIGHEST).all()
    assert weights[:, :20].min() > 1.5 * weights[:, 24:].max()


def test_errors_of_wide_steps_weigh_more() -> None:
    tokenizer = ResidualVQ(RVQConfig(channels=(2, 3), width_coarse=4, width_fine=4, visual=True, widening=(0.0, 0.5)))
    with torch.no_grad():
        tokenizer.contrast.fill_(1.0)
    latent, values = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    values[0, 1, 0, 1] = -3.3
    near, far = importance(tokenizer, latent, values, torch.tensor([9.0]))[0, 0]
    assert float(near) == pytest.approx(HIGHEST)
    assert float(far) == pytest.approx(HIGHEST * (1 + 3**2))  # twice half the exponent


def test_the_weight_is_highest_without_contrast(tiny_codec: PhotoCodec) -> None:
    tokenizer = tiny_codec.tokenizer
    zeros = torch.zeros(1, tokenizer.config.channels[1], 2, 3)
    nothing = importance(tokenizer, zeros, zeros, torch.tensor([1.0]))
    assert torch.equal(nothing, torch.full((1, 2, 3), HIGHEST))
