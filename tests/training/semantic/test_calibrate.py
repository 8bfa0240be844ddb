"""From floats to integers: bytes as wanted, cosines as before."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_semantic import DECODER, FEATURES

from imgcodec.priors.channel import LEVELS, ChannelPrior
from imgcodec.profiles.semantic.model import build_tokenizer
from imgcodec.training.semantic.calibrate import code_length, frequencies, rotate_meaning, set_scales, set_tables


@pytest.fixture
def tokenizer():
    torch.manual_seed(0)
    made = build_tokenizer(FEATURES, DECODER).eval().requires_grad_(False)
    for layer in made.decoder.unet.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, std=0.1)
    return made


@pytest.fixture
def vectors(tokenizer):
    x = (
        torch.rand((400, 3, 32, 32), generator=torch.Generator().manual_seed(1))
        ** torch.linspace(0.2, 3, 400)[:, None, None, None]
    )
    tokenizer.encoder.init_from_data(tokenizer.encoder.small(x))
    return tokenizer.encoder(x)


@pytest.mark.parametrize("sizes", [(14, 10), (6, 4), (24, 16)])
def test_parts_take_the_bytes_that_they_are_given(tokenizer, vectors, sizes):
    set_scales(tokenizer, vectors, [(24, sizes[0]), (16, sizes[1])])
    levels = tokenizer.quantizer.quantize(vectors).numpy()
    for part, size in ((levels[:, :24], sizes[0]), (levels[:, 24:], sizes[1])):
        length = code_length(part)
        # where 255 levels would not reach, it takes less
        assert length <= 1.02 * size
        assert length >= 0.9 * size or tokenizer.quantizer.scale.unique().numel() > 2
    prior = ChannelPrior(40)
    set_tables(tokenizer, prior, vectors)
    written = np.mean([len(prior.write(row)) for row in levels])
    assert written <= sum(sizes) * 1.02 + 1


def test_turning_the_meaning_changes_no_cosine_and_nothing_that_is_drawn(tokenizer, vectors):
    x = torch.rand(3, 3, 32, 32)
    before = tokenizer.encoder(x)
    noisy, times, hint = torch.randn(3, 3, 16, 16), torch.tensor([10, 50, 90]), torch.rand(3, 3, 16, 16)
    seen = tokenizer.decoder.predict(noisy, times, before, hint)
    turned = rotate_meaning(tokenizer, vectors)
    after = tokenizer.encoder(x)
    assert torch.allclose(before @ before.T, after @ after.T, atol=1e-5)
    assert torch.allclose(tokenizer.decoder.predict(noisy, times, after, hint), seen, atol=1e-4)
    assert torch.allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-4)
    covariance = torch.cov(turned[:, 24:].T)
    off = covariance - covariance.diag().diag()
    assert off.abs().max() < 0.01 * covariance.diag().max()
    assert (covariance.diag().diff() <= 1e-6).all()


@given(st.integers(1, 400), st.floats(0, 40), st.integers(0, LEVELS - 1), st.integers(0, 2**32 - 1))
def test_tables_fit_what_they_were_made_of_and_forbid_nothing(count, spread, mean, seed):
    rng = np.random.default_rng(seed)
    levels = (mean + spread * rng.standard_normal((count, 2))).round().clip(0, LEVELS - 1).astype(int)
    found = frequencies(levels)
    assert found.shape == (2, LEVELS)
    assert np.allclose(found.sum(1), 1, atol=0.2)
    assert (found >= 0).all()
    prior = ChannelPrior(2)
    prior.set_frequencies(found)
    assert np.array_equal(prior.read(prior.write(levels[0])), levels[0])
    entropy = np.log2(max(1.0, spread * (2 * np.pi * np.e) ** 0.5))
    assert prior.bits(levels).mean() < entropy + 1.5
