"""BSQ: folds are a Gray code that a linear map of products decodes, and the start is a picture already."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.small import BSQ_SMALL, pictures, psnr

from imgcodec.tokenizers.bsq import BSQConfig, BSQTokenizer, Folds, best_width
from imgcodec.tokenizers.quantizers import index_to_bits


def tokenizer(config=BSQ_SMALL):
    torch.manual_seed(1)
    return BSQTokenizer(config)


@pytest.fixture(scope="module")
def started():
    made = tokenizer()
    made.start_from(pictures(24))
    return made


@settings(max_examples=10)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_any_multiple_of_the_stride_comes_back_in_its_size(rows, columns, batch):
    made = tokenizer().eval()
    with torch.no_grad():
        [tokens] = made.encode(torch.rand(batch, 3, 16 * rows, 16 * columns))
        assert tokens.shape == (batch, rows, columns)
        assert tokens.dtype == torch.int64
        assert 0 <= tokens.min() <= tokens.max() < made.codes == 2**9
        assert made.decode([tokens]).shape == (batch, 3, 16 * rows, 16 * columns)


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_neighbouring_intervals_differ_in_one_bit(bits):
    folds = Folds(BSQConfig(bits_of=(bits,)))
    y = torch.linspace(-0.999, 0.999, 2**bits * 50)[None, None, :, None]
    signs = (folds(y)[0, :, :, 0] > 0).int().T
    changes = (signs[1:] != signs[:-1]).sum(1)
    assert changes.max() == 1
    assert changes.sum() == 2**bits - 1
    assert len({tuple(s) for s in signs.tolist()}) == 2**bits


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_products_of_bits_make_any_function_of_a_coordinate(bits_of):
    config = BSQConfig(bits_of=tuple(sorted(bits_of, reverse=True)))
    signs = index_to_bits(torch.arange(2**config.bits)[None, None], config.bits).float() * 2 - 1
    products = Folds(config).products(signs)[0, :, 0]
    assert len(products) == 1 + sum(2**b - 1 for b in bits_of)
    assert torch.equal(products @ products.T, torch.eye(len(products)) * 2**config.bits)  # so none is superfluous


def test_training_decodes_what_the_tokens_say(started):
    pixels = pictures(2, seed=9)
    with torch.no_grad():
        decoded, losses = started(pixels)
        tokens = started.encode(pixels)
        assert torch.allclose(started.decode(tokens), decoded, atol=1e-4)
        assert torch.equal(started.decode(tokens), started.decode(tokens))
    assert 0 < losses.usage < 1
    assert losses.vq == 0


def test_the_start_is_a_picture(started):
    pixels = pictures(4, seed=7)
    means = pixels.unfold(2, 16, 16).unfold(3, 16, 16).mean((4, 5)).repeat_interleave(16, 2).repeat_interleave(16, 3)
    with torch.no_grad():
        decoded = started.decode(started.encode(pixels))
    assert psnr(decoded, pixels) > 17
    assert psnr(decoded, pixels) > psnr(pixels.mean((2, 3), keepdim=True), pixels) + 3
    assert psnr(decoded, pixels) < psnr(means, pixels) + 10  # nine bits are not that many


def test_gradients_reach_everything(started):
    started.zero_grad()
    decoded, losses = started(pictures(2, seed=3))
    (decoded.square().mean() + losses.commit + losses.entropy).backward()
    for name in ("analysis.linear.weight", "analysis.net.6.weight", "folds.scale", "folds.at.0", "unfold.weight"):
        assert started.get_parameter(name).grad.abs().sum() > 0, name
    assert started.synthesis.fine[3].weight.grad.abs().sum() > 0


def test_a_few_steps_of_training_help(started):
    made = tokenizer()
    made.load_state_dict(started.state_dict())
    pixels = pictures(8, seed=11)
    optimizer = torch.optim.Adam(made.parameters(), 2e-3)
    errors = []
    for _ in range(25):
        error = (made(pixels)[0] - pixels).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.9 * errors[0]


def test_width_of_equal_intervals():
    uniform = torch.linspace(-1, 1, 10001)
    assert 0.8 < float(best_width(uniform, 4)) < 1.2  # all of it; candidates are a few per cent to forty apart


def test_the_size_of_the_recipe():
    made = BSQTokenizer(BSQConfig())
    assert made.strides == (16,)
    assert made.codes == 2**18
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
        ("analysis_blocks", (65, 1), "blocks"),
    ],
)
def test_impossible_sizes_are_refused(field, value, reason):
    with pytest.raises(ValueError, match=reason):
        BSQConfig(**{field: value})
    with pytest.raises(ValueError, match="size of the picture"):
        tokenizer().decode([torch.zeros(1, 1, 1, dtype=torch.int64)], scale=4)
