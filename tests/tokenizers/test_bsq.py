"""BSQ: the bits of a coordinate are a binary number, decoded by a linear map of products; it decodes to pictures before
training; with one bit per coordinate it is the paper's quantizer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.small import BSQ_SMALL, pictures, psnr

from imgcodec.tokenizers.bsq import BinaryDigits, BSQConfig, BSQTokenizer, best_range
from imgcodec.tokenizers.quantizers import bits_to_index, index_to_bits


def tokenizer(config=BSQ_SMALL):
    torch.manual_seed(1)
    return BSQTokenizer(config)


@pytest.fixture(scope="module")
def initialised():
    made = tokenizer()
    made.init_from_data(pictures(24))
    return made


@settings(max_examples=10)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_any_multiple_of_the_stride_comes_back_in_its_size(rows, columns, batch):
    made = tokenizer().eval()
    with torch.no_grad():
        [tokens] = made.encode(torch.rand(batch, 3, 16 * rows, 16 * columns))
        assert tokens.shape == (batch, rows, columns)
        assert tokens.dtype == torch.int64
        assert 0 <= tokens.min() <= tokens.max() < made.codebook_size == 2**9
        assert made.decode([tokens]).shape == (batch, 3, 16 * rows, 16 * columns)


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_bits_of_a_coordinate_count_its_intervals(bits):
    digits = BinaryDigits(BSQConfig(bits_of=(bits,)))
    y = torch.linspace(-0.999, 0.999, 2**bits * 50)[None, None, :, None]
    tokens = bits_to_index(digits(y) > 0)[0, :, 0]
    assert torch.equal(tokens, ((y[0, 0, :, 0] + 1) / 2 * 2**bits).floor().long())


def test_with_one_bit_per_coordinate_it_is_the_papers_quantizer(monkeypatch):
    """Zhao et al. 2024: u = v / |v|, sign(u) / sqrt(L), straight through to u, and a linear map back."""
    made = tokenizer(BSQConfig(bits_of=(1,) * 18, latent_dim=24, widths=(8, 6), synthesis_blocks=(1, 1)))
    made.init_from_data(pictures(24))
    pixels = pictures(2, seed=5)
    v = made.analysis(pixels).detach() * made.digits.scale.detach()[:, None, None]
    seen = []
    monkeypatch.setattr(made, "_latent", lambda values: seen.append(values) or values.new_zeros(len(values), 24, 4, 4))
    _, losses = made(pixels)
    u = v / v.square().sum(1, keepdim=True).sqrt()
    corners = u.sign() / 18**0.5
    torch.testing.assert_close(seen[0], corners)
    torch.testing.assert_close(losses.commit, (u - corners).square().mean())
    monkeypatch.undo()

    def latent(values):
        return made._latent(values)

    flipped = corners.flip(1)
    middle = latent((corners + flipped) / 2)
    torch.testing.assert_close(middle, (latent(corners) + latent(flipped)) / 2)  # so it is linear (affine)
    [tokens] = made.encode(pixels)
    assert torch.equal(index_to_bits(tokens, 18), (v > 0).long())
    decoded, losses = made(pixels)
    (decoded.square().mean() + losses.commit + losses.entropy).backward()
    assert made.analysis.linear.weight.grad.abs().sum() > 0


def test_code_vectors_are_the_latents_of_the_codes(initialised):
    [vectors] = initialised.code_vectors()
    tokens = torch.tensor([[[0, 5], [300, 511]]])
    with torch.no_grad():
        latent = initialised._latent(initialised.quantizer.lookup(tokens))
    assert torch.allclose(vectors[tokens[0]].movedim(2, 0), latent[0], atol=1e-5)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_products_of_bits_make_any_function_of_a_coordinate(bits_of):
    config = BSQConfig(bits_of=tuple(sorted(bits_of, reverse=True)))
    signs = index_to_bits(torch.arange(2**config.bits)[None, None], config.bits).float() * 2 - 1
    products = BinaryDigits(config).products(signs)[0, :, 0]
    assert len(products) == 1 + sum(2**b - 1 for b in bits_of)
    assert torch.equal(products @ products.T, torch.eye(len(products)) * 2**config.bits)  # so none is superfluous


def test_training_sees_the_decoded_tokens(initialised):
    pixels = pictures(2, seed=9)
    with torch.no_grad():
        decoded, losses = initialised(pixels)
        tokens = initialised.encode(pixels)
        assert torch.allclose(initialised.decode(tokens), decoded, atol=1e-4)
        assert torch.equal(initialised.decode(tokens), initialised.decode(tokens))
    assert 0 < losses.usage < 1
    assert losses.vq == 0


def test_initialised_from_data_it_decodes_to_pictures(initialised):
    pixels = pictures(4, seed=7)
    means = pixels.unfold(2, 16, 16).unfold(3, 16, 16).mean((4, 5)).repeat_interleave(16, 2).repeat_interleave(16, 3)
    with torch.no_grad():
        decoded = initialised.decode(initialised.encode(pixels))
    assert psnr(decoded, pixels) > 17
    assert psnr(decoded, pixels) > psnr(pixels.mean((2, 3), keepdim=True), pixels) + 3
    assert psnr(decoded, pixels) < psnr(means, pixels) + 10  # nine bits are not that many


def test_gradients_reach_everything(initialised):
    initialised.zero_grad()
    decoded, losses = initialised(pictures(2, seed=3))
    (decoded.square().mean() + losses.commit + losses.entropy).backward()
    for name in ("analysis.linear.weight", "analysis.net.6.weight", "digits.at.0", "unfold.weight"):
        assert initialised.get_parameter(name).grad.abs().sum() > 0, name
    assert initialised.synthesis.fine[3].weight.grad.abs().sum() > 0


def test_commitment_cancels_the_drift_of_coordinates_to_where_bits_flip(initialised):
    """Before training the decoder is right on average, so the encoder has nothing to learn from it."""
    pixels = pictures(24)
    gradients = []
    for weight in (0, 1):
        y = initialised.analysis(pixels).detach().requires_grad_()
        initialised.analysis.forward, kept = lambda _, y=y: y, initialised.analysis.forward
        decoded, losses = initialised(pixels)
        initialised.analysis.forward = kept
        ((decoded - pixels).square().mean() + weight * losses.commit).backward()
        gradients.append(y.grad.square().sum())
    assert gradients[1] < 0.05 * gradients[0]


def test_a_few_steps_of_training_help(initialised):
    made = tokenizer()
    made.load_state_dict(initialised.state_dict())
    pixels = pictures(8, seed=11)
    optimizer = torch.optim.Adam(made.parameters(), 2e-3)
    errors = []
    for _ in range(25):
        decoded, losses = made(pixels)
        error = (decoded - pixels).square().mean()
        optimizer.zero_grad()
        (error + losses.commit).backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.9 * errors[0]


def test_range_of_equal_intervals():
    uniform = torch.linspace(-1, 1, 10001)
    assert 0.8 < float(best_range(uniform, 4)) < 1.2  # all of it; candidates are a few per cent to forty apart


def test_the_size_of_the_recipe():
    made = BSQTokenizer(BSQConfig())
    assert made.strides == (16,)
    assert made.codebook_size == 2**18
    assert 1.2e6 < sum(p.numel() for p in made.parameters()) < 1.7e6


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("bits_of", (5, 5, 5, 4), "18 bits"),
        ("bits_of", (1, 2), "18 bits"),
        ("bits_of", (), "coordinate"),
        ("bits_of", (2, 0), "coordinate"),
        ("bits_of", (9, 9), "coordinate"),
        ("latent_dim", 10**6, "wide"),
        ("latent_dim", 5, "coordinates"),
        ("analysis_blocks", (65, 1), "blocks"),
    ],
)
def test_impossible_sizes_are_refused(field, value, reason):
    with pytest.raises(ValueError, match=reason):
        BSQConfig(**{field: value})
    with pytest.raises(ValueError, match="size of the picture"):
        tokenizer().decode([torch.zeros(1, 1, 1, dtype=torch.int64)], scale=4)
