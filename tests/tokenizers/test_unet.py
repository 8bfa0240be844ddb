"""The network of the diffusion decoder: shapes, and that vector and time are heard."""

import pytest
import torch

from imgcodec.tokenizers.unet import CLIPCondUNet, sinusoids


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
