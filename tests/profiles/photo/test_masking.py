"""What an error is worth: most where nothing happens, least where much does."""

import numpy as np
import torch
from numpy.typing import NDArray

from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.profiles.photo.masking import HIGHEST, importance
from imgcodec.profiles.photo.tiling import analyse, scale


def worth_of(codec: PhotoCodec, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    tokenizer = codec.tokenizer
    return scale(tokenizer, analyse(tokenizer, pixels, torch.device("cpu")), pixels.shape[:2], 1.0, masked=True)[1]


def test_flat_places_are_worth_more_than_busy_ones(tiny_codec: PhotoCodec) -> None:
    pixels = np.full((64, 700, 3), 128, np.uint8)
    wave = (100 * np.sin(np.arange(700) * 2 * np.pi / 16)).astype(int)
    pixels[:, 352:] = (128 + wave[352:])[None, :, None]
    worth = worth_of(tiny_codec, pixels)
    assert worth.shape == (4, 44)
    assert (worth > 0).all()
    assert (worth <= HIGHEST).all()
    assert worth[:, :20].min() > 1.5 * worth[:, 24:].max()


def test_it_is_the_contrast_of_luma(tiny_codec: PhotoCodec) -> None:
    tokenizer = tiny_codec.tokenizer
    nothing = importance(tokenizer, torch.zeros(1, tokenizer.config.channels[1], 2, 3))
    assert torch.equal(nothing, torch.full((1, 2, 3), HIGHEST))
