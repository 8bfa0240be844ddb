"""The objective of joint training, and starts from smaller models and from averages."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from imgcodec import UsageError
from imgcodec.priors.photo.transformer import PhotoPrior, PhotoPriorConfig
from imgcodec.tokenizers.rvq import ResidualVQ, RVQConfig
from imgcodec.training.average import is_average, load_average, write_average
from imgcodec.training.loop import Run
from imgcodec.training.photo.objective import PhotoNetworks, PhotoPhase, bits_and_tokens, parameter_groups
from imgcodec.training.photo.recipe import grow

TOKENIZER = RVQConfig(channels=(8, 12), width_coarse=8, width_fine=8, analysis_blocks=(2, 1), synthesis_blocks=(1, 2))
PRIOR = PhotoPriorConfig(
    width=16, hidden=16, heads=2, slices=((4, 4), (4, 8)), attention=((True, False), (False, True)), levels=8
)


def model(tokenizer: RVQConfig = TOKENIZER) -> PhotoNetworks:
    """Small nets in which nothing is zero any more."""
    torch.manual_seed(3)
    made = PhotoNetworks(ResidualVQ(tokenizer), PhotoPrior(PRIOR))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "codebooks" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return made


def test_dead_zeros_get_no_gradient_and_live_tokens_do() -> None:
    prior = model().prior
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
    prior = model().prior
    coarse = torch.randn(1, 8, 4, 4).round()
    fine = (torch.randn(1, 12, 16, 16) * 3).requires_grad_()
    found = []
    for noisy in (False, True):
        bits, tokens = bits_and_tokens(prior, [coarse, fine], torch.tensor([4.0]), noisy=noisy)
        found.append((bits.detach(), tokens[1].detach(), torch.autograd.grad(bits.sum(), fine)[0]))
    torch.testing.assert_close(found[0][:2], found[1][:2])
    assert (found[0][2] - found[1][2]).abs().max() > 1e-3


def test_grown_transforms_compute_what_the_smaller_ones_did() -> None:
    small = model().tokenizer
    large = ResidualVQ(replace(TOKENIZER, analysis_blocks=(3, 2), synthesis_blocks=(2, 2)))
    grow(large, small)
    pixels, level = torch.rand(1, 3, 64, 64), torch.tensor([2.5])
    latent = small.analysis(pixels)
    torch.testing.assert_close(large.analysis(pixels), latent)
    torch.testing.assert_close(large.synthesis(latent, level), small.synthesis(latent, level))
    torch.testing.assert_close(large.gain(1, level), small.gain(1, level))


def test_average_of_a_checkpoint_is_a_start(tmp_path: Path) -> None:
    had = model()
    phase = PhotoPhase("main", steps=2, matrix_rate=1e-3)
    run = Run(phase, had, parameter_groups(had, phase), tmp_path)
    run.save()
    path = tmp_path / "average.safetensors"
    write_average(run.checkpoint, path)
    assert is_average(path)
    assert not is_average(run.checkpoint)
    assert not is_average(tmp_path / "none.safetensors")
    start = PhotoNetworks(ResidualVQ(TOKENIZER), PhotoPrior(PRIOR))
    load_average(path, start)
    for (name, parameter), kept in zip(had.named_parameters(), start.parameters(), strict=True):
        tolerance = 2**-10 if ".linear." in name else 2**-8 if parameter.dim() == 4 else 0.0
        torch.testing.assert_close(kept, parameter, rtol=tolerance, atol=1e-7, msg=name)
    assert {t.dtype for t in load_file(path).values()} == {torch.bfloat16, torch.float16, torch.float32}
    other = PhotoNetworks(ResidualVQ(replace(TOKENIZER, width_fine=12)), PhotoPrior(PRIOR))
    with pytest.raises(UsageError, match="other sizes"):
        load_average(path, other)
