"""The scalable VQ-VAE: three sizes from one decoder, and files that come back or are refused."""

import json
import struct
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers.small import VQ_SMALL, pictures, psnr
from torch.nn import functional as F

from imgcodec import CodecError
from imgcodec.tokenizers.vq import FORMAT, ScalableVQVAE, VQConfig


def tokenizer(config=VQ_SMALL):
    torch.manual_seed(1)
    return ScalableVQVAE(config)


@pytest.fixture(scope="module")
def started():
    made = tokenizer()
    made.start_from(pictures(16, 32))
    return made


@settings(max_examples=8)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_scales_are_exact_sizes(rows, columns, batch):
    made = tokenizer().eval().requires_grad_(False)
    assert (made.strides, made.scales) == ((4,), (1, 2, 4))
    tokens = made.encode(torch.rand(batch, 3, 4 * rows, 4 * columns))
    assert tokens[0].shape == (batch, rows, columns)
    pictures = made.decode_scales(tokens)
    for scale in (1, 2, 4):
        assert pictures[scale].shape == (batch, 3, 4 * rows * scale, 4 * columns * scale)
        assert torch.equal(made.decode(tokens, scale), pictures[scale])


def test_calling_it_gives_a_reconstruction_and_four_losses(started):
    pixels = pictures(2, 32, seed=9)
    reconstruction, (vq, commit, entropy, usage) = started(pixels)
    assert reconstruction.shape == pixels.shape
    assert vq > 0
    assert torch.allclose(commit, 0.25 * vq)
    assert entropy < 0
    assert 0 < usage <= 1
    assert torch.allclose(started.decode(started.encode(pixels)), reconstruction, atol=1e-4)


def test_the_largest_defaults_are_those_of_the_paper():
    with torch.device("meta"):
        made = ScalableVQVAE(VQConfig())
    assert made.strides == (16,)
    assert made.codes == 16384
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


def test_larger_pictures_start_as_enlargements(started):
    tokens = started.encode(pictures(1, 32, seed=9))
    with torch.no_grad():
        decoded = started.decode_scales(tokens)
    for scale in (2, 4):
        assert torch.equal(decoded[scale], F.interpolate(decoded[1], scale_factor=scale, mode="bicubic"))


def test_heads_and_encoder_are_trained_together(started):
    started.zero_grad()
    decoded, losses = started.reconstruct_scales(pictures(2, 32, seed=3))
    assert [picture.shape[-1] for picture in decoded] == [32, 64, 128]
    sum(picture.square().mean() for picture in decoded).backward(retain_graph=True)
    reached = ["heads.0.weight", "heads.1.weight", "picture.weight", "linear_in.weight", "encoder.out.weight"]
    assert all(started.get_parameter(name).grad.abs().sum() > 0 for name in reached)
    assert started.quantizer.codebook.grad is None
    losses.vq.backward()
    assert started.quantizer.codebook.grad.abs().sum() > 0


def test_gradients_pass_straight_to_the_first_layer():
    made = tokenizer()
    made(pictures(2, 32))[0].square().mean().backward()
    assert made.encoder.trunk[0].weight.grad.abs().sum() > 0


def test_the_start_is_a_picture(started):
    pixels = pictures(4, 32, seed=7)
    with torch.no_grad():
        decoded = started.eval().decode(started.encode(pixels))
    assert psnr(decoded, pixels) > psnr(pixels.mean((2, 3), keepdim=True), pixels) + 2
    assert len(started.encode(pixels)[0].unique()) > 12


def test_dropout_only_trains():
    made = tokenizer(replace(VQ_SMALL, dropout_p=0.5))
    tokens = made.eval().encode(pictures(1, 32))
    assert torch.equal(made.decode(tokens), made.decode(tokens))
    made.train()
    assert not torch.equal(made.decode(tokens), made.decode(tokens))


# Files


@pytest.fixture
def file(started, tmp_path):
    path = tmp_path / "vq.safetensors"
    started.save(path)
    return path


def test_what_is_saved_comes_back(started, file):
    loaded = ScalableVQVAE.load(file)
    assert loaded.config == started.config
    assert not loaded.training
    assert {n: t.shape for n, t in loaded.state_dict().items()} == {n: t.shape for n, t in started.state_dict().items()}
    pixels = pictures(2, 32, seed=9)
    tokens = loaded.encode(pixels)
    assert torch.equal(tokens[0], started.encode(pixels)[0])
    assert torch.equal(loaded.decode(tokens, 4), started.eval().decode(tokens, 4))
    loaded.train()(pixels)[0].mean().backward()  # and can be trained on


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
def test_every_configuration_comes_back(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("configuration") / "vq.safetensors"
    ScalableVQVAE(config).save(path)
    assert ScalableVQVAE.load(path).config == config


def refusal(path):
    with pytest.raises(CodecError) as caught:
        ScalableVQVAE.load(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def changed(path, metadata=None, **tensors):
    config = json.dumps(VQ_SMALL.__dict__)
    save_file(load_file(path) | tensors, path, metadata or {"format": FORMAT, "config": config})
    return path


@pytest.mark.parametrize("size", [0, 4, 100, 5000, -1])
def test_cut_files_are_refused(file, size):
    file.write_bytes(file.read_bytes()[:size])
    assert "not a safetensors file" in refusal(file)


def test_damaged_headers_are_refused(file):
    data = file.read_bytes()
    file.write_bytes(struct.pack("<Q", 2**40) + data[8:])
    assert "not a safetensors file" in refusal(file)


def test_missing_files_and_folders_are_refused(tmp_path):
    assert "no file" in refusal(tmp_path / "nothing.safetensors")
    assert "no file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("quantizer.codebook", torch.zeros(23, 4), "shape"),
        ("picture.bias", torch.zeros(0), "shape"),
        ("extra", torch.zeros(1), "does not belong"),
        ("picture.bias", torch.zeros(3, dtype=torch.int64), "I64"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(file, name, tensor, reason):
    assert reason in refusal(changed(file, **{name: tensor}))


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
        ("z_channels", 11),
        ("surprise", 1),
    ],
)
def test_configurations_of_strangers_are_refused(file, field, value):
    config = json.dumps(VQ_SMALL.__dict__ | {field: value})
    assert "not a sound" in refusal(changed(file, {"format": FORMAT, "config": config}))


@pytest.mark.parametrize("config", ["", "[]", "nonsense", "[" * 60000, "null"])
def test_what_is_no_configuration_is_refused(file, config):
    assert "not a sound" in refusal(changed(file, {"format": FORMAT, "config": config}))


def test_files_of_another_kind_are_refused(file):
    assert "format" in refusal(changed(file, {"format": "imgcodec-model-1", "config": "{}"}))
    assert "format" in refusal(changed(file, {"config": "{}"}))


def test_a_folder_that_is_not_there_is_an_error(started, tmp_path):
    with pytest.raises(CodecError, match="no directory"):
        started.save(tmp_path / "nowhere" / "vq.safetensors")
