"""Phases of raster tokenizers and priors: interrupted runs, stored tokens, order-0 coders, the terms of the loss."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training.raster.small import small_networks

from imgcodec.profiles.raster.model import build_tokenizer
from imgcodec.training.raster.objective import (
    CropTokens,
    LossWeights,
    RasterData,
    RasterPhase,
    TokenizerObjective,
    cross_entropy_bits,
    order0,
    order0_lengths,
    train_prior,
    train_tokenizer,
)
from imgcodec.training.raster.recipe import RasterRecipe


def interrupt_at(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, call: int) -> None:
    """SIGINT in the midst of a step: at the n-th call of what gives it its batch."""
    original, calls = getattr(owner, method), 0

    def counted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGINT)
        return original(*arguments)

    monkeypatch.setattr(owner, method, counted)


def test_interrupted_tokenizer_phase_ends_where_an_uninterrupted_one_does(
    recipe: RasterRecipe, data: RasterData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = RasterPhase("tokenizer", steps=6, rate=1e-2, warmup=2, revive_every=4, revive_until=1, schedule="cosine")
    train_tokenizer(small_networks(recipe), phase, data, tmp_path / "whole", resume=False)
    with monkeypatch.context() as patch:
        interrupt_at(patch, RasterData, "crops", 3)
        with pytest.raises(KeyboardInterrupt):
            train_tokenizer(small_networks(recipe), phase, data, tmp_path / "cut", resume=False)
    stopped = load_file(tmp_path / "cut" / "tokenizer.safetensors")
    assert max(int(tensor) for name, tensor in stopped.items() if name.endswith(".step")) == 3
    train_tokenizer(small_networks(recipe), phase, data, tmp_path / "cut", resume=True)
    whole, cut = (load_file(tmp_path / name / "tokenizer.safetensors") for name in ("whole", "cut"))
    assert whole["buffer.quantizers.0.used"].sum() == 2 * 2  # of the two steps after codes were revived
    for name, tensor in whole.items():
        if name != "rng":
            assert torch.equal(cut[name], tensor), name


def test_interrupted_quantized_prior_phase_ends_where_an_uninterrupted_one_does(
    recipe: RasterRecipe, data: RasterData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = RasterPhase("quantized", steps=5, rate=1e-2, warmup=1, trains="prior", quantized=True)

    def sitting(name: str, resume: bool, cut_at: int = 0) -> None:
        model = small_networks(recipe)
        tokens = CropTokens(model.tokenizer.eval(), data)
        with monkeypatch.context() as patch:
            if cut_at:
                interrupt_at(patch, CropTokens, "draw", 8 + cut_at)  # after those of the calibration
            train_prior(model, phase, data, tokens, tmp_path / name, resume)

    sitting("whole", resume=False)
    with pytest.raises(KeyboardInterrupt):
        sitting("cut", resume=False, cut_at=2)
    sitting("cut", resume=True)
    whole, cut = (load_file(tmp_path / name / "quantized.safetensors") for name in ("whole", "cut"))
    for name, tensor in whole.items():
        if name != "rng":
            assert torch.equal(cut[name], tensor), name


def test_tokens_of_new_crops_or_of_stored_ones(recipe: RasterRecipe, data: RasterData) -> None:
    tokenizer = small_networks(recipe).tokenizer.eval()
    stored = CropTokens(tokenizer, data)
    fresh = CropTokens(tokenizer, replace(data, token_crops=0))
    for tokens in (stored, fresh):
        first, again, other = tokens.draw(3, 5), tokens.draw(3, 5), tokens.draw(3, 6)
        assert [t.shape for t in first] == [(3, 4, 4), (3, 8, 8)]
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
        assert all(t.dtype == torch.int64 for t in first)


def test_an_untrained_prior_has_the_bits_of_its_digits(recipe: RasterRecipe) -> None:
    prior = small_networks(recipe).prior  # its last layer starts at zero
    tokens = [torch.randint(0, 16, (2, side, side)) for side in prior.sides]
    lengths = cross_entropy_bits(prior, tokens)
    for bits, stage in zip(lengths, tokens, strict=True):
        torch.testing.assert_close(bits, torch.full((2,), 4.0 * stage[0].numel()))


def test_order0_entropy() -> None:
    assert order0(torch.tensor([[0, 1], [2, 3]])) == pytest.approx(2)
    assert order0(torch.tensor([5, 5, 5, 9])) == pytest.approx(0.811278, abs=1e-6)
    assert order0(torch.zeros(4, dtype=torch.int64)) == 0


def test_order0_length_is_the_entropy_where_frequencies_are_known_well_and_above_it_where_they_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(64, generator=generator).pow(3)
    drawn = torch.multinomial(share, 60000, replacement=True, generator=generator)
    few, many = drawn[:400], drawn[400:]
    entropy = float(torch.special.entr(share / share.sum()).sum() / np.log(2))
    assert order0_lengths(few, many, 64, (8, 8)) == pytest.approx(entropy, abs=0.15)
    assert order0_lengths(many, few, 64, (8, 8)) > order0_lengths(many, many, 64, (8, 8)) + 0.02
    assert order0(few) < entropy  # what is counted in the tokens themselves flatters
    # codes that were never seen: their digits say which are likely
    unseen = torch.tensor([9, 9, 9])
    assert order0_lengths(unseen, torch.tensor([8, 17, 8, 17, 8, 17]), 64, (8, 8)) < 4
    assert order0_lengths(unseen, torch.tensor([63] * 6), 64, (8, 8)) > 6


def test_larger_scales_and_every_part_of_the_loss_have_gradients() -> None:
    config = {
        "kind": "vq", "ch": 16, "codebook_size": 32, "z_channels": 8, "num_res_blocks": 1, "patch_nums": [1, 2],
        "encoder_ch_mult": [1, 1, 1], "decoder_ch_mult": [1, 1, 1],
    }  # fmt: skip
    torch.manual_seed(0)
    tokenizer = build_tokenizer(config)
    pixels = torch.randint(0, 256, (1, 3, 176, 176), dtype=torch.uint8)
    objective = TokenizerObjective(tokenizer, LossWeights(ms_ssim=1, entropy=0.1), mixed=False)
    losses = []
    for scale in (1, 2):
        tokenizer.zero_grad()
        loss, figures = objective(0.0, pixels, scale)
        loss.backward()
        losses.append(float(loss.detach()))
        assert {"loss", "psnr", "ms_ssim", "commit", "entropy", "usage"} <= set(figures)
        assert (tokenizer.heads[0].weight.grad is not None) == (scale == 2)
    assert losses[1] > losses[0]
    assert tokenizer.quantizer.codebook.grad.abs().sum() > 0
