"""The PixelCNN: what is its own. All raster priors together are in `test_protocol.py`."""

import pytest
import torch
from priors.raster.small import random_tokens
from torch import nn

from imgcodec.priors.raster.pixelcnn import PixelCNN, PixelCNNConfig


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_block_sees_what_a_masked_convolution_does(kernel):
    """After the shift by one position: whole rows of the kernel above, and what is to the left in the row."""
    torch.manual_seed(1)
    prior = PixelCNN(num_codes=20, latent_dim=6, image_size=9, num_blocks=1, kernel_size=kernel)
    for layer in (prior.blocks[0].merge, prior.predict):
        nn.init.normal_(layer.weight)
    tokens, reach, row, column = random_tokens(prior, 1, [(9, 9)], 2), kernel // 2, 5, 4
    with torch.no_grad():
        before = prior(tokens)[0][0]
        seen = torch.zeros(9, 9, dtype=torch.bool)
        for y in range(9):
            for x in range(9):
                changed = tokens[0].clone()
                changed[0, y, x] = (changed[0, y, x] + 7) % 20
                seen[y, x] = (prior([changed])[0][0] - before)[0, :, row, column].abs().max() > 1e-6
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[row - 1 - reach : row, column - reach : column + reach + 1] = True
    expected[row, column - 1 - reach : column] = True
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("sizes", [{"num_codes": 1}, {"num_codes": 8192}, {"kernel_size": 4}, {"num_blocks": 0}])
def test_impossible_pixelcnns_are_refused(sizes):
    with pytest.raises(ValueError, match=r"."):
        PixelCNNConfig(**sizes)


def test_a_pixelcnn_is_made_as_its_paper_says():
    with torch.device("meta"):
        prior = PixelCNN(num_codes=512, latent_dim=512, image_size=32, num_blocks=10, kernel_size=3)
    assert prior.config == PixelCNNConfig() == PixelCNN(PixelCNNConfig(latent_dim=512)).config
