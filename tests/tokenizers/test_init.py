"""The order of codes, and that reordering changes nothing but their numbers."""

import pytest
import torch

from imgcodec.tokenizers.init import tree_order
from imgcodec.tokenizers.quantizers import VectorQuantizer


@pytest.mark.parametrize("codes", [1, 2, 37, 64])
def test_codes_in_the_order_of_a_tree(codes):
    generator = torch.Generator().manual_seed(codes)
    vectors = torch.randn(codes, 4, generator=generator) * torch.tensor([4.0, 1, 1, 0.5])
    order = tree_order(vectors)
    assert torch.equal(order.sort().values, torch.arange(codes))
    if codes < 37:
        return
    sorted_, variance = vectors[order], vectors.var(0).sum()
    assert abs(sorted_[: codes // 2, 0].mean() - sorted_[codes // 2 :, 0].mean()) > 4  # along the widest coordinate
    parts = torch.stack([part.var(0).sum() for part in sorted_.chunk(8)])
    assert parts.mean() < 0.4 * variance
    assert torch.equal(order, tree_order(vectors))
    assert torch.equal(vectors[order], vectors[order][tree_order(vectors[order])])  # it is in order already


def test_reordered_codes_decode_to_the_same():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(6, 16, 4)
    torch.nn.init.normal_(quantizer.gain)
    latent = torch.randn(2, 6, 5, 5)
    tokens = quantizer.encode(latent)
    vectors = quantizer.code_vectors()
    order = torch.randperm(16)
    quantizer.reorder(order)
    again = quantizer.encode(latent)
    assert torch.equal(order[again], tokens)
    assert torch.allclose(quantizer.code_vectors(), vectors[order], atol=1e-6)
