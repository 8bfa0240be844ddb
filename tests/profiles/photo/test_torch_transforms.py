"""The transforms in PyTorch take and give what `Transforms` says."""

import numpy as np
import torch

from imgcodec.profiles.photo.torch_transforms import TorchTransforms


def test_arrays_go_in_and_come_out(tiny_codec):
    transforms = tiny_codec.photo.in_torch().transforms
    assert isinstance(transforms, TorchTransforms)
    config, rng = transforms.config, np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 128, 3)).astype(np.uint8)
    latent = transforms.analyse(pixels, (0, 2, 4, 8))
    assert isinstance(latent, torch.Tensor)
    assert latent.shape == (1, config.channels[1], 4, 6)
    whole = transforms.analyse(pixels, (0, 0, 4, 8))
    torch.testing.assert_close(whole[:, :, :4, 2:8], latent)

    coarse, fine, weight = transforms.quantize(whole, 1.5, masked=True)
    assert coarse.shape == (config.channels[0], 1, 2)
    assert fine.shape == (config.channels[1], 4, 8)
    assert weight.shape == (4, 8)
    assert transforms.quantize(whole, 1.5, masked=False)[2] is None

    tokens = [(np.rint(stage) + config.zero).astype(np.int16) for stage in (coarse, fine)]
    decoded = transforms.synthesise(*tokens, 1.5, (0, 5, 9, 100))
    assert decoded.shape == (9, 95, 3)
    assert decoded.dtype == np.uint8
    whole = transforms.synthesise(*tokens, 1.5, (0, 0, 64, 128))
    assert np.abs(whole[:9, 5:100].astype(int) - decoded).max() <= 1
    assert [transforms.reduced(*tokens, 1.5, r).shape for r in (8, 16, 64)] == [(8, 16, 3), (4, 8, 3), (1, 2, 3)]
