"""Token embeddings are initialised from the vectors of the codes."""

import pytest
import torch

from imgcodec.priors.integer.trainable import calibrate, export
from imgcodec.priors.raster.init import digit_means, init_embeddings
from imgcodec.priors.raster.pixelcnn import PixelCNN
from imgcodec.priors.raster.protocol import LOGIT_UNIT, to_digits
from imgcodec.priors.raster.transformer import RasterTransformer, RasterTransformerConfig


def raster(codes, digits, sides=(4,)):
    torch.manual_seed(0)
    return RasterTransformer(
        RasterTransformerConfig(width=16, hidden=16, heads=2, blocks=1, sides=sides, codes=codes, digits=digits)
    )


def vectors(codes, seed=0, size=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(codes, size, generator=generator) * torch.logspace(1, -1, size) + 7


def test_all_stages_have_one_projection():
    prior = raster(64, (8, 8), sides=(2, 4))
    before = prior.tokens.weight[-1].clone()
    first, second = vectors(64), 0.3 * vectors(64, seed=1)
    init_embeddings(prior, [first, second])
    rows = prior.tokens.weight.detach()
    assert rows[:-1].square().mean() == pytest.approx(1, rel=1e-4)
    assert torch.equal(rows[-1], before)  # no token
    known = torch.cat([first - first.mean(0), second - second.mean(0)])
    solved = torch.linalg.lstsq(known, rows[:-1]).solution
    assert torch.allclose(known @ solved, rows[:-1], atol=1e-3)


def test_pixelcnn_takes_fewer_vectors_than_codes():
    torch.manual_seed(0)
    prior = PixelCNN(num_codes=12, latent_dim=8, image_size=4, num_blocks=1)
    before = prior.tokens.weight[10:].clone()
    init_embeddings(prior, [vectors(10)])
    assert prior.tokens.weight[:10].detach().square().mean() == pytest.approx(1, rel=1e-4)
    assert torch.equal(prior.tokens.weight[10:], before)


def test_digit_means_of_sums_over_digits_are_their_terms():
    digits = (4, 2, 3)
    parts = [torch.randn(values, 5) for values in digits]
    of_codes = to_digits(torch.arange(24), digits)
    whole = sum(part[of_codes[:, i]] for i, part in enumerate(parts))
    whole -= whole.mean(0)
    means = digit_means(whole, digits)
    assert means.shape == (9, 5)
    back = sum(means[of_codes[:, i] + sum(digits[:i])] for i in range(3))
    assert torch.allclose(back, whole, atol=1e-5)


def test_large_codebooks_are_embedded_digit_by_digit():
    prior = raster(2**15, (32, 32, 32))
    assert not prior.whole
    init_embeddings(prior, [vectors(2**15)])
    assert prior.tokens.weight[:96].detach().square().mean() == pytest.approx(1, rel=1e-4)
    assert len(prior.tokens.weight) == 97


def test_initial_embeddings_survive_export_to_integers():
    """With outliers of eight deviations, and coordinates that are a hundredth of others."""
    prior = raster(256, (16, 16))
    meaning = vectors(256)
    meaning[3] *= 8
    init_embeddings(prior, [meaning])
    torch.nn.init.normal_(prior.heads[0].predict[0].weight, std=0.1)
    tokens = [torch.randint(0, 256, (4, 4, 4))]
    expected = prior(tokens)[0]
    calibrate(prior, lambda: prior(tokens))
    export(prior)
    found = prior(tokens)[0]
    difference = found[0] / LOGIT_UNIT - expected[0].detach()
    assert difference.abs().mean() < 0.05 * expected[0].std()
