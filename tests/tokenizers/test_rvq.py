"""Residual vector quantization: the nearest codeword, and every prefix of stages."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.tokenizers.rvq_config import RVQConfig

SMALL = {"channels": (3, 5), "codes": 21, "levels": 4, "width_coarse": 8, "width_fine": 4}


def tokenizer(codebooks=(1, 5), seed=1):
    """Gains between 1/2 and 4, codewords up to 0.45 off the lattice; transforms as initialized."""
    torch.manual_seed(seed)
    made = ResidualVQ(RVQConfig(**SMALL, codebooks=codebooks)).requires_grad_(False)
    for gain in made.log_gain:
        gain.uniform_(-0.7, 1.4)
    for book in made.codebooks:
        noise = torch.rand_like(book) * 0.9 - 0.45
        noise[:, SMALL["codes"] // 2] = 0
        book.add_(noise)
    made.check_tables()
    return made


@given(st.integers(0, 2**32 - 1), st.sampled_from([(1, 1), (1, 5), (3, 1), (3, 5)]), st.sampled_from([0, 1]))
def test_the_codeword_is_the_nearest(seed, codebooks, stage):
    made = tokenizer(codebooks, seed % 1000)
    torch.manual_seed(seed)
    scaled = torch.randn(2, SMALL["channels"][stage], 3, 4) * 6
    found = made._nearest(stage, scaled)
    books = made.codebooks[stage].expand(SMALL["channels"][stage], -1, -1)
    for group, book in enumerate(books[:, :, 0]):
        errors = (scaled[:, group, ..., None] - book).abs()
        error = errors.gather(3, found[:, group, ..., None])[..., 0]
        assert torch.equal(error, errors.amin(3))


def nearest_tokens(made, latent, level):
    """The tokens of an encoder without RDOQ."""
    coarse, fine = made.scaled_residuals(latent, level)
    return [coarse.long() + made.config.codes // 2, made._nearest(1, fine)]


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0, 2.75, 3.0])
def test_quantization_errs_by_half_a_step(level):
    made, level = tokenizer((1, 1)), torch.tensor([level])
    latent = torch.randn(1, 5, 8, 12)
    tokens = nearest_tokens(made, latent, level)
    assert [t.shape for t in tokens] == [(1, 3, 2, 3), (1, 5, 8, 12)]
    assert all(0 <= t.min() and t.max() < SMALL["codes"] for t in tokens)  # noqa: SIM300
    inside = (tokens[1] > 0) & (tokens[1] < SMALL["codes"] - 1)
    # neighbours of a lattice that is 0.45 off are up to 1.9 apart
    error = (made.dequantize(tokens, level) - latent).abs() * made.gain(1, level)
    assert float(error[inside].max()) <= 0.95 + 1e-4


def test_each_stage_codes_the_residual_of_the_earlier_ones():
    made, level = tokenizer(), torch.tensor([1.5])
    latent = torch.randn(1, 5, 4, 8) + 3
    tokens = nearest_tokens(made, latent, level)
    errors = [float((made.dequantize(tokens[:n], level) - latent).square().mean()) for n in (1, 2)]
    assert errors[1] < errors[0] < float(latent.square().mean())
    coarse = made.dequantize(tokens[:1], level)
    assert torch.equal(coarse, coarse[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert not coarse[:, 3:].any()  # the channels that stage 0 does not have


def test_zero_tokens_are_zero():
    made = tokenizer()
    zero = [
        torch.full((1, c, *s), SMALL["codes"] // 2) for c, s in zip(SMALL["channels"], [(1, 2), (4, 8)], strict=True)
    ]
    assert not made.dequantize(zero, torch.tensor([0.7])).any()


def test_gains_are_interpolated_between_levels():
    made = tokenizer()
    at = [made.log_gain[1][level] for level in (1, 2)]
    for level, expected in ((1.0, at[0]), (2.0, at[1]), (1.25, 0.75 * at[0] + 0.25 * at[1])):
        gain = made.gain(1, torch.tensor([level]))
        assert torch.allclose(gain[0, :, 0, 0].log(), expected, atol=1e-6)


def test_training_has_the_residuals_of_the_encoder():
    """With codebooks that are lattices, as in training."""
    made = ResidualVQ(RVQConfig(**SMALL | {"codes": 1023})).requires_grad_(False)
    latent, level = torch.randn(2, 5, 4, 4) * 2, torch.tensor([0.0, 2.5])
    given = made.ste_residuals(latent, level)
    for ours, encoder in zip(given, made.scaled_residuals(latent, level), strict=True):
        assert torch.allclose(ours, encoder, atol=1e-5)
    tokens = [t.round() for t in given]
    centred = [t.long() + 511 for t in tokens]
    assert torch.allclose(made.dequantize_lattice(tokens, level), made.dequantize(centred, level), atol=1e-5)


def test_training_passes_gradients_through_its_tokens():
    made = ResidualVQ(RVQConfig(**SMALL))
    latent, level = torch.randn(1, 5, 4, 4, requires_grad=True), torch.tensor([1.0])
    tokens = made.ste_residuals(latent, level)
    (tokens[1].sum() + made.dequantize_lattice(tokens, level).square().sum()).backward()
    assert latent.grad is not None
    assert latent.grad.abs().sum() > 0
    assert made.log_gain[1].grad[1].abs().sum() > 0


@pytest.mark.parametrize(("code", "offset"), [(3, 0.5), (20, -0.75), (10, 0.01), (0, float("nan"))])
def test_codebooks_that_the_search_could_miss_are_refused(code, offset):
    made = tokenizer()
    made.codebooks[1][2, code] = code - 10 + offset
    with pytest.raises(ValueError, match="too far from its lattice point"):
        made.check_tables()


WIDENING = (0.1, 0.4)


def widening_tokenizer():
    """Two tunes, whose steps are wider by contrast; codebooks are lattices."""
    torch.manual_seed(1)
    made = ResidualVQ(RVQConfig(**SMALL | {"codes": 1023}, visual=True, widening=WIDENING)).requires_grad_(False)
    made.contrast.copy_(torch.tensor([0.0, 2.0, 1.0, 0.5, 0.1]))
    for gain in made.log_gain:
        gain.fill_(1.0)
    return made


@pytest.mark.parametrize("tune", [0, 1])
def test_steps_are_wider_by_contrast(tune):
    """By the exponent of the tune, and not by channels that are no contrast."""
    made = widening_tokenizer()
    level = torch.tensor([tune * SMALL["levels"] + 1.5])
    fine = torch.zeros(1, 5, 1, 4)
    fine[0, 1:3, 0, 1] = torch.tensor([2.0, -1.0])
    fine[0, 0, 0, 2] = 9.0
    fine[0, 1, 0, 3] = 100.0
    widening = made.widening(fine, level)[0, 0, 0]
    variances = torch.tensor([0.0, 2.0 * 4 + 1, 0.0, 2.0 * 100**2])
    assert torch.allclose(widening, (1 + variances) ** WIDENING[tune])


@given(st.integers(0, 2**32 - 1), st.floats(0, 2 * SMALL["levels"] - 1.01), st.floats(0.05, 30))
def test_tokens_of_wide_steps_err_by_half_of_them_or_little_more(seed, level, size):
    """What an encoder divides by is nearly what a decoder multiplies by, which sees tokens only."""
    made, level = widening_tokenizer(), torch.tensor([level])
    latent = size * torch.randn(1, 5, 8, 8, generator=torch.Generator().manual_seed(seed))
    coarse, values = made.scaled_residuals(latent, level)
    tokens = [(t.round() + made.zero).long() for t in (coarse, values)]
    step = made.widening((tokens[1] - made.zero) / made.gain(1, level), level) / made.gain(1, level)
    error = (made.dequantize(tokens, level) - latent).abs() / step
    assert float(error.mean()) < 0.4  # 0.25 for steps that both know
    assert bool((error <= 0.5 + 0.35 * values.abs()).all())


@pytest.mark.parametrize("level", [0.0, 7.0])
def test_what_fine_steps_are_divided_by_is_what_they_are_multiplied_by(level):
    """Where steps are small, tokens are large, and a little would be many steps."""
    made, level = widening_tokenizer(), torch.tensor([level])
    for gain in made.log_gain:
        gain.fill_(2.5)
    latent = 10 * torch.randn(1, 5, 32, 32, generator=torch.Generator().manual_seed(2))
    coarse, values = made.scaled_residuals(latent, level)
    tokens = [(t.round() + made.zero).long() for t in (coarse, values)]
    step = made.widening((tokens[1] - made.zero) / made.gain(1, level), level) / made.gain(1, level)
    error = (made.dequantize(tokens, level) - latent).abs() / step
    assert float(values.abs().max()) > 100
    assert float(error.mean()) < 0.35  # 0.25 for steps that both know
    assert float(error.max()) < 4


def test_training_widens_as_the_encoder_and_the_decoder_do():
    made = widening_tokenizer()
    latent, level = torch.randn(2, 5, 4, 4) * 4, torch.tensor([2.5, 5.0])
    given = made.ste_residuals(latent, level)
    for ours, encoder in zip(given, made.scaled_residuals(latent, level), strict=True):
        assert torch.allclose(ours, encoder, atol=1e-5)
    tokens = [t.round() for t in given]
    centred = [t.long() + made.zero for t in tokens]
    assert torch.allclose(made.dequantize_lattice(tokens, level), made.dequantize(centred, level), atol=1e-4)


def test_gradients_pass_through_wide_steps():
    """That of the decoder's side is the true one."""
    made, level = widening_tokenizer(), torch.tensor([1.5, 5.5])
    tokens = [torch.randn(2, c, s, s).round().double() for c, s in ((3, 1), (5, 4))]
    made.double()
    fine = (3 * tokens[1]).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: made.dequantize_lattice([tokens[0], t], level.double()), fine)


def test_contrast_is_never_negative():
    made = widening_tokenizer()
    made.check_tables()
    for wrong in (-0.1, float("nan"), 1e7):
        made.contrast[2] = wrong
        with pytest.raises(ValueError, match="contrast"):
            made.check_tables()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("codes", 20, "odd"),
        ("codes", 2**13 + 1, "codes in a codebook"),
        ("codebooks", (96, 2000), "in all of them"),
        ("channels", (0, 5), "a channel"),
        ("levels", 0, "a level"),
        ("width_fine", 0, "wide"),
        ("width_coarse", 10**6, "wide"),
        ("analysis_blocks", (65, 1), "blocks"),
        ("synthesis_blocks", (1, -1), "blocks"),
    ],
)
def test_impossible_sizes_are_refused(field, value, reason):
    with pytest.raises(ValueError, match=reason):
        RVQConfig(**{field: value})
