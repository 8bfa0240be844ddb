"""Bits in training: what has a gradient, and what noise changes."""

from dataclasses import replace

import torch
from training.photo.small import TOKENIZER, small_networks

from imgcodec.profiles.photo.masking import importance
from imgcodec.training.photo.rates import bits_and_tokens, error_weight


def test_dead_zeros_get_no_gradient_and_live_tokens_do() -> None:
    prior = small_networks().prior
    with torch.no_grad():
        for stage in (prior.coarse, prior.fine):
            for _, head in stage.slices():
                head.predict.weight.zero_()
                head.bias.rows.zero_()  # mean 0 and the narrowest width everywhere: a zero is dead
    values = [torch.zeros(1, 8, 4, 4), torch.full((1, 12, 16, 16), 0.3, requires_grad=True)]
    with torch.no_grad():
        values[1][:, :, 5, 6] = 3.2
    bits, tokens = bits_and_tokens(prior, values, torch.tensor([1.0]), noisy=True)
    (bits.sum() + tokens[1].square().sum()).backward()
    gradient = values[1].grad
    assert gradient is not None
    assert gradient[:, :, 5, 6].abs().min() > 1e-3
    gradient[:, :, 5, 6] = 0
    assert not gradient.any()


def test_noise_changes_the_gradient_and_not_the_bits() -> None:
    prior = small_networks().prior
    coarse = torch.randn(1, 8, 4, 4).round()
    fine = (torch.randn(1, 12, 16, 16) * 3).requires_grad_()
    found = []
    for noisy in (False, True):
        bits, tokens = bits_and_tokens(prior, [coarse, fine], torch.tensor([4.0]), noisy=noisy)
        found.append((bits.detach(), tokens[1].detach(), torch.autograd.grad(bits.sum(), fine)[0]))
    torch.testing.assert_close(found[0][:2], found[1][:2])
    assert (found[0][2] - found[1][2]).abs().max() > 1e-3


def test_errors_weigh_as_in_the_encoder_of_each_tune() -> None:
    model = small_networks(replace(TOKENIZER, visual=True))
    latent = torch.randn(2, TOKENIZER.channels[1], 4, 4) * 20
    weight = error_weight(model.tokenizer, latent, latent, torch.tensor([3.0, 3.0 + TOKENIZER.levels]))
    assert (weight[0] == 1).all()
    expected = importance(model.tokenizer, latent, latent, torch.tensor([11.0]))
    torch.testing.assert_close(weight[1, 0], expected[1])
    assert weight[1].std() > 0


def test_tokens_are_kept_where_errors_weigh_more() -> None:
    prior = small_networks().prior
    values = [torch.randn(1, 8, 4, 4).round(), torch.randn(1, 12, 16, 16) * 1.5]
    level = torch.tensor([3.0])
    kept = []
    for weight in (0.2, 1.0, 1e6):
        _, tokens = bits_and_tokens(prior, values, level, error_weight=torch.full((1, 1, 16, 16), weight))
        kept.append(int((tokens[1] == values[1].round()).sum()))
    assert kept[0] < kept[1] < kept[2] == values[1].numel()
    same = bits_and_tokens(prior, values, level, error_weight=torch.ones(1, 1, 16, 16))[1][1]
    assert torch.equal(same, bits_and_tokens(prior, values, level)[1][1])
