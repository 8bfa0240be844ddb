"""Training begins with steps that are wider by contrast, and about as wide as before."""

from dataclasses import replace

import pytest
import torch
from training.photo.small import TOKENIZER, small_networks

from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.photo.recipe import grow
from imgcodec.training.photo.widening import LEVELS, begin_widening, change_widening


@pytest.fixture
def pixels() -> torch.Tensor:
    """Flat at the left, busy at the right."""
    noise = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    noise[:, :, :, :32] = 0.5 + 0.02 * noise[:, :, :, :32]
    return noise


def test_steps_keep_their_mean_and_are_wider_where_there_is_contrast(pixels: torch.Tensor) -> None:
    before = small_networks(replace(TOKENIZER, visual=True)).tokenizer
    after = ResidualVQ(replace(TOKENIZER, visual=True, widening=(0.1, 0.3)))
    grow(after, before)
    begin_widening(after, pixels)
    latent = after.analysis(pixels)
    for tune in (0, 1):
        means = []
        for part in LEVELS:
            level = torch.full((4,), tune * TOKENIZER.levels + part * (TOKENIZER.levels - 1))
            values = after.ste_residuals(latent, level)[1]
            widening = after.widening_of_values(values, level)
            assert widening[:, :, :, 3].mean() > widening[:, :, :, 0].mean() >= 1
            change = (before.gain(1, level) / after.gain(1, level)).log()  # the same for all channels
            means.append(float((widening.log() + change.mean()).detach().mean()))
        assert abs(sum(means)) < 0.1


def test_other_exponents_keep_the_mean_of_the_steps_of_each_tune(pixels: torch.Tensor) -> None:
    before, after, again = (
        small_networks(replace(TOKENIZER, visual=True, widening=widening)).tokenizer
        for widening in ((0.1, 0.3), (0.0, 0.2), (0.1, 0.3))
    )
    with torch.no_grad():
        before.visual_shift.add_(0.5)  # as if it had been trained
    begin_widening(before, pixels)
    grow(after, before)
    change_widening(after, before, pixels)
    for tune in (0, 1):
        gains, widenings = [], []
        for tokenizer in (before, after):
            levels = [torch.full((4,), tune * TOKENIZER.levels + part * (TOKENIZER.levels - 1)) for part in LEVELS]
            latent = before.analysis(pixels)
            values = [tokenizer.ste_residuals(latent, level)[1] for level in levels]
            found = [tokenizer.widening_of_values(v, level) for v, level in zip(values, levels, strict=True)]
            widenings.append(float(torch.stack(found).log().mean().detach()))
            gains.append(float(torch.stack([tokenizer.gain(1, level) for level in levels]).log().mean().detach()))
        assert widenings[0] - widenings[1] > 0.01
        assert (widenings[1] - gains[1]) - (widenings[0] - gains[0]) == pytest.approx(0, abs=0.01)
    grow(again, after)
    change_widening(again, after, pixels)
    torch.testing.assert_close(again.log_gain[1], before.log_gain[1], atol=0.05, rtol=0)
    torch.testing.assert_close(again.visual_shift, before.visual_shift, atol=0.05, rtol=0)


def test_widening_of_nothing_changes_nothing(pixels: torch.Tensor) -> None:
    """A picture without contrast in it has the steps of gains alone."""
    made = small_networks(replace(TOKENIZER, visual=True, widening=(0.1, 0.3))).tokenizer
    with torch.no_grad():
        made.contrast.zero_()
    begin = made.log_gain[1].detach().clone()
    with torch.no_grad():
        made.synthesis.linear.weight.zero_()
    begin_widening(made, pixels)
    torch.testing.assert_close(made.log_gain[1].detach(), begin)
