"""The scalable VQ-VAE: three sizes from one decoder, and its configurations."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.small import VQ_SMALL, pictures, psnr
from torch.nn import functional as F

from imgcodec.model_file.untrusted import checked_config
from imgcodec.tokenizers.vq import ScalableVQVAE, VQConfig


def tokenizer(config=VQ_SMALL):
    torch.manual_seed(1)
    return ScalableVQVAE(config)


@pytest.fixture(scope="module")
def initialised():
    made = tokenizer()
    made.init_from_data(pictures(16, 32))
    return made


@settings(max_examples=8)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_scales_are_exact_sizes(rows, columns, batch):
    made = tokenizer().eval().requires_grad_(False)
    assert (made.strides, made.scales) == ((4,), (1, 2, 4))
    tokens = made.encode(torch.rand(batch, 3, 4 * rows, 4 * columns))
    assert tokens[0].shape == (batch, rows, columns)
    for scale in (1, 2, 4):
        assert made.decode(tokens, scale).shape == (batch, 3, 4 * rows * scale, 4 * columns * scale)


def test_calling_it_gives_a_reconstruction_and_four_losses(initialised):
    pixels = pictures(2, 32, seed=9)
    reconstruction, (vq, commit, entropy, usage) = initialised(pixels)
    assert reconstruction.shape == pixels.shape
    assert vq > 0
    assert torch.allclose(commit, 0.25 * vq)
    assert entropy < 0
    assert 0 < usage <= 1
    assert torch.allclose(initialised.decode(initialised.encode(pixels)), reconstruction, atol=1e-4)


def test_the_default_sizes_are_those_of_the_paper():
    with torch.device("meta"):
        made = ScalableVQVAE(VQConfig())
    assert made.strides == (16,)
    assert made.codebook_size == 16384
    assert made.quantizer.codebook.shape == (16384, 8)
    assert 60e6 < sum(p.numel() for p in made.parameters()) < 80e6
    assert sum(type(m).__name__ == "SelfAttention" for m in made.decoder.modules()) == 4


def test_four_levels_are_stride_8():
    made = tokenizer(replace(VQ_SMALL, encoder_ch_mult=(1, 1, 2, 2), decoder_ch_mult=(1, 1, 2, 2), patch_nums=(1,)))
    assert made.strides == (8,)
    tokens = made.encode(torch.rand(1, 3, 256, 256))
    assert tokens[0].shape == (1, 32, 32)
    assert made.decode(tokens).shape == (1, 3, 256, 256)
    with pytest.raises(ValueError, match="not 2"):
        made.decode(tokens, 2)


def test_larger_pictures_are_enlargements_before_training(initialised):
    tokens = initialised.encode(pictures(1, 32, seed=9))
    with torch.no_grad():
        decoded = initialised.decode(tokens)
        for scale in (2, 4):
            larger = F.interpolate(decoded, scale_factor=scale, mode="bicubic")
            assert torch.equal(initialised.decode(tokens, scale), larger)


def test_heads_learn_from_larger_pictures_and_the_encoder_from_those_of_its_size(initialised):
    initialised.zero_grad()
    pixels = pictures(2, 32, seed=3)
    decoded, losses = initialised(pixels)
    decoded.square().mean().backward(retain_graph=True)
    reached = ["picture.weight", "linear_in.weight", "encoder.out.weight"]
    assert all(initialised.get_parameter(name).grad.abs().sum() > 0 for name in reached)
    assert initialised.heads[0].weight.grad is None
    assert initialised.quantizer.codebook.grad is None
    losses.vq.backward()
    assert initialised.quantizer.codebook.grad.abs().sum() > 0
    tokens = initialised.encode(pixels)
    (initialised.decode(tokens, 2).square().mean() + initialised.decode(tokens, 4).square().mean()).backward()
    assert all(head.weight.grad.abs().sum() > 0 for head in initialised.heads)


def test_gradients_pass_straight_to_the_first_layer():
    made = tokenizer()
    made(pictures(2, 32))[0].square().mean().backward()
    assert made.encoder.trunk[0].weight.grad.abs().sum() > 0


def test_initialised_from_data_it_decodes_to_pictures(initialised):
    pixels = pictures(4, 32, seed=7)
    with torch.no_grad():
        decoded = initialised.eval().decode(initialised.encode(pixels))
    assert psnr(decoded, pixels) > psnr(pixels.mean((2, 3), keepdim=True), pixels) + 2
    assert len(initialised.encode(pixels)[0].unique()) > 12


def test_dropout_only_trains():
    made = tokenizer(replace(VQ_SMALL, dropout_p=0.5))
    tokens = made.eval().encode(pictures(1, 32))
    assert torch.equal(made.decode(tokens), made.decode(tokens))
    made.train()
    assert not torch.equal(made.decode(tokens), made.decode(tokens))


# Configurations


@settings(max_examples=8)
@given(
    st.builds(
        VQConfig,
        codebook_size=st.integers(2, 50),
        codebook_embed_dim=st.integers(2, 9),
        codebook_l2_norm=st.booleans(),
        commit_loss_beta=st.floats(0, 10),
        encoder_ch_mult=st.just((1, 2)),
        decoder_ch_mult=st.sampled_from([(1, 2), (3, 1)]),
        z_channels=st.integers(1, 9),
        dropout_p=st.floats(0, 0.99),
        ch=st.sampled_from([2, 4]),
        num_res_blocks=st.just(1),
        patch_nums=st.sampled_from([(1,), (1, 2), (1, 2, 4), (1, 3)]),
    )
)
def test_every_configuration_survives_json(config):
    assert checked_config(VQConfig, json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("codebook_size", 10**12),
        ("codebook_size", 24.0),
        ("codebook_size", True),
        ("ch", -4),
        ("ch", 10**9),
        ("num_res_blocks", 10**9),
        ("num_res_blocks", None),
        ("encoder_ch_mult", [1] * 100),
        ("encoder_ch_mult", 3),
        ("encoder_ch_mult", [1, [2], 2]),
        ("decoder_ch_mult", [1, 2]),
        ("patch_nums", [2, 1]),
        ("patch_nums", [1, 10**6]),
        ("dropout_p", float("nan")),
        ("dropout_p", "0"),
        ("commit_loss_beta", float("inf")),
        ("codebook_l2_norm", 1),
        ("surprise", 1),
    ],
)
def test_untrusted_configurations_are_refused(field, value):
    with pytest.raises((ValueError, TypeError)):
        checked_config(VQConfig, {**VQ_SMALL.__dict__, field: value})


@pytest.mark.parametrize("config", [[], "nonsense", None, 3])
def test_what_is_no_configuration_is_refused(config):
    with pytest.raises(ValueError, match="configuration"):
        checked_config(VQConfig, config)
