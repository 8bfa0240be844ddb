"""SNAC: tokens of several strides, the first stages alone, and pictures before training."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.small import SNAC_SMALL, pictures, psnr
from vector_quantize_pytorch import ResidualVQ

from imgcodec.tokenizers.snac import SNAC, SNACConfig


def tokenizer(config=SNAC_SMALL):
    torch.manual_seed(1)
    return SNAC(config)


@pytest.fixture(scope="module")
def initialised():
    made = tokenizer()
    made.init_from_data(pictures(24))
    return made


@settings(max_examples=10)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_any_multiple_of_the_stride_comes_back_in_its_size(rows, columns, batch):
    made = tokenizer().eval()
    assert made.strides == (64, 32, 16)
    with torch.no_grad():
        tokens = made.encode(torch.rand(batch, 3, 64 * rows, 64 * columns))
        assert [t.shape for t in tokens] == [(batch, rows * n, columns * n) for n in (1, 2, 4)]
        assert all(t.dtype == torch.int64 and 0 <= t.min() and t.max() < made.codebook_size for t in tokens)  # noqa: SIM300
        for stages in (1, 2, 3):
            assert made.decode(tokens[:stages]).shape == (batch, 3, 64 * rows, 64 * columns)


def test_strides_are_those_of_the_recipe():
    made = SNAC(SNACConfig())
    assert made.strides == (128, 64, 32, 16)
    assert made.codebook_size == 4096
    assert 0.8e6 < sum(p.numel() for p in made.parameters()) < 1.1e6


def test_training_sees_the_decoded_tokens(initialised):
    pixels = pictures(2, seed=9)
    with torch.no_grad():
        assert torch.allclose(initialised.decode(initialised.encode(pixels)), initialised(pixels)[0], atol=1e-4)


def test_the_same_tokens_are_the_same_pixels(initialised):
    tokens = initialised.encode(pictures(2, seed=9))
    with torch.no_grad():
        assert torch.equal(initialised.decode(tokens), initialised.decode(tokens))


def test_initialised_from_data_it_decodes_to_pictures_that_every_stage_improves(initialised):
    pixels = pictures(4, seed=7)
    with torch.no_grad():
        tokens = initialised.encode(pixels)
        quality = [psnr(initialised.decode(tokens[:stages]), pixels) for stages in (1, 2, 3)]
    assert quality[0] + 2 < quality[1] < quality[2] - 1
    assert quality[0] > psnr(pixels.mean((2, 3), keepdim=True).mean(0, keepdim=True), pixels)
    assert quality[2] > 19


def test_residual_quantization_agrees_with_the_library():
    """With stages of one stride and projections that change nothing."""
    made = tokenizer(SNACConfig(6, 32, 6, (1, 1, 1), (4, 4))).eval().requires_grad_(False)
    theirs = ResidualVQ(dim=6, num_quantizers=3, codebook_size=32, use_cosine_sim=True, rotation_trick=False).eval()
    for quantizer, other in zip(made.quantizers, theirs.layers, strict=True):
        for layer in (quantizer.project_in, quantizer.project_out):
            layer.weight.copy_(torch.eye(6)[:, :, None, None])
            layer.bias.zero_()
        other._codebook.embed.copy_(quantizer.codewords()[None])
    pixels = torch.rand(2, 3, 64, 48)
    tokens = made.encode(pixels)
    quantized, indices, _ = theirs(made.analysis(pixels).flatten(2).transpose(1, 2))
    assert torch.equal(torch.stack(tokens, -1).flatten(1, 2), indices)
    assert torch.allclose(made.dequantize(tokens).flatten(2).transpose(1, 2), quantized, atol=1e-5)


def test_gradients_reach_everything(initialised):
    initialised.zero_grad()
    decoded, losses = initialised(pictures(2, seed=3))
    (decoded.square().mean() + losses.vq + losses.commit + losses.entropy).backward()
    # those before a layer that starts at zero get theirs after the first step
    for name in ("analysis.linear", "analysis.net.6", "synthesis.linear", "synthesis.fine.3"):
        assert initialised.get_parameter(f"{name}.weight").grad.abs().sum() > 0, name
    for quantizer in initialised.quantizers:
        assert all(quantizer.get_parameter(n).grad.abs().sum() > 0 for n in ("codebook", "gain", "project_in.weight"))


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
        (error + losses.vq + 0.1 * losses.commit).backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.9 * errors[0]


def test_every_stage_counts_and_revives_its_codes(initialised):
    made = tokenizer()
    made.load_state_dict(initialised.state_dict())
    made(pictures(2, seed=3))
    unused = [int((q.used == 0).sum()) for q in made.quantizers]
    latents = [tokens.numel() for tokens in made.encode(pictures(2, seed=3))]
    assert [q.revive() for q in made.quantizers] == [min(*n) for n in zip(unused, latents, strict=True)]
    assert sum(unused) > 0


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("vq_strides", (8, 3, 1), "multiple"),
        ("vq_strides", (), "stages"),
        ("codebook_size", 2**19, "codes"),
        ("latent_dim", 0, "wide"),
        ("widths", (10**6, 4), "wide"),
        ("synthesis_blocks", (1000, 1), "blocks"),
    ],
)
def test_impossible_sizes_are_refused(field, value, reason):
    with pytest.raises(ValueError, match=reason):
        SNACConfig(**{field: value})
    with pytest.raises(ValueError, match="size of the picture"):
        tokenizer().decode([torch.zeros(1, 1, 1, dtype=torch.int64)], scale=2)
