"""The raster transformer: what is its own. All raster priors together are in `test_protocol.py`."""

import pytest
import torch
from priors.raster.small import exact_prior, exactly, in_float, random_tokens, sizes_of

from imgcodec.priors.raster.protocol import from_digits, to_digits
from imgcodec.priors.raster.transformer import RasterTransformer, RasterTransformerConfig


@pytest.mark.parametrize("name", ["raster", "stages", "bits"])
def test_a_digit_changes_the_logits_of_the_next_one(name):
    prior = exact_prior(name)
    tokens = random_tokens(prior, 1, sizes_of(prior, 9, 9), 1)
    changed = [t.clone() for t in tokens]
    digits = to_digits(changed[0][0, 0, 0], prior.digits)
    digits[0] = (digits[0] + prior.digits[0] // 2) % (prior.digits[0] - 2)
    changed[0][0, 0, 0] = from_digits(digits, prior.digits)
    before, after = (exactly(prior, t)[0] for t in (tokens, changed))
    assert torch.equal(before[0][..., 0, 0], after[0][..., 0, 0])
    assert not torch.equal(before[1][..., 0, 0], after[1][..., 0, 0])


@pytest.mark.parametrize("name", ["raster", "stages"])
def test_attention_sees_no_further_than_its_context(name):
    attention = exact_prior(name).blocks[0].attention
    x = torch.randn(1, 20, 12).mul(300).round()
    changed = x.clone()
    changed[:, 4] += 500
    moved = (exactly(attention, x) != exactly(attention, changed)).any(-1)[0]
    assert not moved[:4].any()
    assert moved[4 : 4 + min(3, attention.context)].any()
    assert not moved[4 + attention.context :].any()


@pytest.mark.parametrize(
    "sizes",
    [{"width": 10}, {"heads": 0}, {"sides": ()}, {"sides": (4, 6)}, {"sides": (256,)}, {"digits": (64, 32)},
     {"digits": (8192,)}, {"digits": (4096, 1)}, {"codes": 1}, {"context": 513}, {"context": 0}],
)  # fmt: skip
def test_impossible_raster_transformers_are_refused(sizes):
    with pytest.raises(ValueError, match=r"."):
        RasterTransformerConfig(**sizes)


def test_stages_of_other_proportions_than_the_first_are_refused():
    prior = in_float("stages")
    with pytest.raises(ValueError, match="no tile has 2 x 1 tokens"):
        prior.step_through(1, [(1, 1), (2, 1)], lambda at, logits: logits.argmax(1))


def test_a_new_transformer_finds_all_digits_equally_likely():
    torch.manual_seed(1)
    prior = RasterTransformer(RasterTransformerConfig(12, 16, 2, 1, (2, 4), 30, (6, 5)))
    for stage in prior(random_tokens(prior, 2, [(2, 2), (4, 4)], 3)):
        assert not any(digit.any() for digit in stage)


def test_finer_tokens_see_the_coarser_ones_that_cover_them():
    """Of a tile of one position with four finer ones, and without attention."""
    prior = RasterTransformer(RasterTransformerConfig(12, 16, 2, 1, (2, 4), 30, (6, 5), context=1))
    for head in prior.heads:
        torch.nn.init.normal_(head.predict[0].weight)
    tokens = random_tokens(prior, 1, [(2, 2), (4, 4)], 3)
    changed = [tokens[0].clone(), tokens[1]]
    changed[0][0, 1, 0] = (changed[0][0, 1, 0] + 7) % 30
    with torch.no_grad():
        moved = (prior(changed)[1][0] - prior(tokens)[1][0]).abs().amax((0, 1)) > 1e-6
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[2:, :2] = True
    assert torch.equal(moved, expected)
