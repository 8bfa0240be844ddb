"""Noise that is added and taken away: the laws of DDPM and DDIM."""

import pytest
import torch

from imgcodec.tokenizers.diffusion import NoiseScheduler, ddim


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [100, 1000])
def test_less_and_less_is_kept_of_a_picture(schedule, steps):
    kept = NoiseScheduler(steps, schedule).kept
    assert len(kept) == steps
    assert bool((kept.diff() <= 0).all())
    assert 0.99 < float(kept[0]) < 1
    assert 0 < float(kept[-1]) < 0.01


def test_noisy_pictures_have_the_variance_of_pictures():
    scheduler = NoiseScheduler()
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn((2, 10, 3, 32, 32), generator=generator)
    for t in (0, 300, 700, 999):
        times = torch.full((10,), t)
        noisy = scheduler.q_sample(x0, times, noise)
        assert float(noisy.var()) == pytest.approx(1, abs=0.05)
        if t < 999:
            assert torch.allclose(scheduler.predict_x0(noisy, times, noise), x0, atol=1e-3)


@pytest.mark.parametrize("steps", [1, 7, 50, 1000])
def test_steps_begin_with_the_noisiest_and_fall(steps):
    times = NoiseScheduler().times(steps)
    assert times[0] == 999
    assert times == sorted(set(times), reverse=True)
    assert len(times) == steps


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_numbers_of_steps_are_refused(steps):
    with pytest.raises(ValueError, match="1 to 1000"):
        NoiseScheduler().times(steps)


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="linear or cosine"):
        NoiseScheduler(10, "square")


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_who_knows_the_noise_gets_the_picture(eta):
    """With a network that sees exactly the noise of one picture, every step shows that picture."""
    scheduler = NoiseScheduler()
    x0 = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(1)) - 0.5
    start = torch.randn((1, 3, 8, 8), generator=torch.Generator().manual_seed(2))

    def predict(x, t):
        kept = scheduler.kept[t][:, None, None, None]
        return (x - kept.sqrt() * x0) / (1 - kept).sqrt()

    generator = torch.Generator().manual_seed(3)
    shown = list(ddim(scheduler, predict, lambda x: x, start, 10, eta, generator))
    assert len(shown) == 10
    for picture in shown[1:]:
        assert torch.allclose(picture, x0, atol=1e-3)


def draw(eta, seed, start_seed=0):
    scheduler = NoiseScheduler(100)
    start = torch.randn((1, 3, 4, 4), generator=torch.Generator().manual_seed(start_seed))
    generator = torch.Generator().manual_seed(seed)
    return list(ddim(scheduler, lambda x, t: x * 0.9, lambda x: x.clamp(-2, 2), start, 9, eta, generator))[-1]


def test_only_with_eta_new_noise_counts():
    assert torch.equal(draw(0.0, 1), draw(0.0, 2))
    assert torch.equal(draw(1.0, 1), draw(1.0, 1))
    assert not torch.equal(draw(1.0, 1), draw(1.0, 2))
    assert not torch.equal(draw(0.0, 1), draw(0.0, 1, start_seed=1))
