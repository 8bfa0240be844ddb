"""The weight of errors: highest where contrast is low, lowest where it is high."""

import numpy as np
import torch
from numpy.typing import NDArray

from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.profiles.photo.masking import importance
from imgcodec.profiles.photo.tiling import analyse, quantize_latent
from imgcodec.tokenizers.masking import HIGHEST


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


def test_the_weight_is_highest_without_contrast(tiny_codec: PhotoCodec) -> None:
    tokenizer = tiny_codec.tokenizer
    nothing = importance(tokenizer, torch.zeros(1, tokenizer.config.channels[1], 2, 3))
    assert torch.equal(nothing, torch.full((1, 2, 3), HIGHEST))
