"""Noise that is added and taken away: the laws of DDPM and DDIM, and the network's shapes."""

import pytest
import torch

from imgcodec.tokenizers.diffusion import NoiseScheduler, ddim
from imgcodec.tokenizers.unet import CLIPCondUNet, sinusoids


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


@pytest.mark.parametrize("side", [8, 9, 16])
def test_the_network_gives_a_picture_of_the_same_size_for_any_side(side):
    net = CLIPCondUNet(6, 3, 20, base=16, ch_mult=(1, 2, 2), condition=24)
    found = net(torch.randn(2, 6, side, side), torch.tensor([3, 900]), torch.randn(2, 20))
    assert found.shape == (2, 3, side, side)
    assert not found.any()  # before training it sees no noise at all


def test_vector_and_time_change_what_the_network_sees():
    torch.manual_seed(0)
    net = CLIPCondUNet(3, 3, 20, base=16, ch_mult=(1, 2), condition=24)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, times, vector = torch.randn(1, 3, 8, 8), torch.tensor([500]), torch.randn(1, 20)
    usual = net(x, times, vector)
    assert not torch.allclose(net(x, times, -vector), usual)
    assert not torch.allclose(net(x, times - 400, vector), usual)
    for block in net.modules():  # every residual block hears of the vector
        film = getattr(block, "film", None)
        if film is not None:
            kept = film.weight.detach().clone()
            film.weight.data.zero_()
            assert not torch.allclose(net(x, times, vector), usual)
            film.weight.data.copy_(kept)


def test_default_sizes_are_those_of_the_paper_that_it_is_named_after():
    net = CLIPCondUNet(96, 48, 512)
    assert net.stem.out_channels == 128
    assert [blocks[0].conv1.out_channels for blocks in net.down] == [128, 256, 256]


@pytest.mark.parametrize("sizes", [{"base": 20}, {"ch_mult": ()}, {"blocks": 0}])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="multiples of 16"):
        CLIPCondUNet(3, 3, 20, **sizes)


def test_times_have_different_sinusoids():
    found = sinusoids(torch.arange(1000))
    assert found.shape == (1000, 128)
    assert len(found.unique(dim=0)) == 1000
