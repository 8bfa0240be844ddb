"""Sampled tokens: reproducible by seed, with the given prefix, and with the probabilities of the prior."""

import pytest
import torch
from priors.raster.small import NAMES, exact_prior, in_float, random_tokens, sizes_of

from imgcodec.bitstream.errors import UsageError
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.priors.raster.sampling import sample


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [in_float, exact_prior])
def test_a_seed_gives_the_same_tokens(name, make):
    prior = make(name)
    sizes = sizes_of(prior, 9, 9)
    with exact_arithmetic():
        first, again, other = (sample(prior, 3, sizes, generator=seeded(s)) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert [t.shape for t in first] == [(3, *size) for size in sizes]
    assert all(t.min() >= 0 and t.max() < prior.codebook_size for t in first)


@pytest.mark.parametrize("name", NAMES)
def test_samples_begin_with_the_prefix(name):
    prior = in_float(name)
    sizes = sizes_of(prior, 9, 9)
    given = [t.flatten(1) for t in random_tokens(prior, 2, sizes, 5)]
    counts = [len(given[0][0]), len(given[1][0]) // 2] if len(sizes) > 1 else [len(given[0][0]) // 2]
    prefix = [t[:, :n] for t, n in zip(given, counts, strict=False)]
    drawn = sample(prior, 2, sizes, generator=seeded(1), prefix=prefix)
    for tokens, start in zip(drawn, prefix, strict=False):
        assert torch.equal(tokens.flatten(1)[:, : start.shape[1]], start)


def test_greedy_sampling_takes_the_likeliest_tokens():
    prior = in_float("pixelcnn")
    greedy, one, cold = (
        sample(prior, 2, [(4, 4)], temperature, top_k, seeded(3))[0]
        for temperature, top_k in ((0, 0), (1, 1), (1e-4, 0))
    )
    assert torch.equal(greedy, one)
    assert torch.equal(greedy, cold)
    expected = prior([greedy])[0][0].argmax(1)
    assert torch.equal(greedy, expected)


def test_tokens_have_the_frequencies_of_their_probabilities():
    prior = in_float("wide")
    chances = prior([torch.zeros(1, 1, 1, dtype=torch.int64)])[0][0][0, :, 0, 0].softmax(0)
    drawn = sample(prior, 20000, [(1, 1)], generator=seeded(4))[0].flatten()
    shares = torch.bincount(drawn, minlength=7) / len(drawn)
    assert torch.allclose(shares, chances, atol=0.015)


def test_digits_never_spell_more_than_the_last_code():
    prior = in_float("raster")  # 300 codes, digits for 320
    drawn = sample(prior, 500, [(1, 1)], temperature=50, generator=seeded(4))[0]
    assert 270 < int(drawn.max()) < 300


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ({"temperature": -1}, torch.zeros(1, 0, dtype=torch.int64)),
        ({"temperature": float("nan")}, torch.zeros(1, 0, dtype=torch.int64)),
        ({"top_k": -1}, torch.zeros(1, 0, dtype=torch.int64)),
        ({}, torch.zeros(1, 37, dtype=torch.int64)),
        ({}, torch.full((1, 2), 300)),
        ({}, torch.full((1, 2), -1)),
        ({}, torch.zeros(1, 2)),
        ({}, torch.zeros(1, 2, 2, dtype=torch.int64)),
    ],
)
def test_impossible_options_are_refused(options, start):
    with pytest.raises(UsageError, match=r"\.$"):
        sample(in_float("pixelcnn"), 1, [(6, 6)], prefix=[start], **options)
