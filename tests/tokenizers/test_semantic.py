"""The diffusion decoder: what it draws is a difference to the thumbnail, within the range of pixels."""

from dataclasses import replace

import pytest
import torch

from imgcodec.tokenizers.clip import ClipConfig, ClipEncoder
from imgcodec.tokenizers.semantic import DecoderConfig, DiffusionDecoder, SemanticTokenizer

CONFIG = DecoderConfig(side=16, patch=2, base=16, ch_mult=(1, 2), condition=16, steps=50)


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return DiffusionDecoder(CONFIG, 20).eval().requires_grad_(False)


def test_differences_become_pixels_again(decoder):
    pixels, hint = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    assert torch.allclose(decoder.to_pixels(decoder.to_difference(pixels, hint), hint), pixels, atol=1e-6)
    assert decoder.to_pixels(torch.full_like(pixels, 9.0), hint).max() <= 1


def test_a_picture_of_no_thumbnail_is_grey_before_it_is_drawn(decoder):
    assert (decoder.hint(None, 2) == 0.5).all()
    assert decoder.hint(torch.rand(2, 3, 4, 4), 2).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_drawings_are_pictures_and_depend_on_the_seed(decoder, eta):
    vector, thumbnail = torch.randn(2, 20), torch.rand(2, 3, 4, 4)
    shown = list(decoder.draw(vector, thumbnail, 4, eta, 1.0, seed=1))
    assert len(shown) == 4
    for picture in shown:
        assert picture.shape == (2, 3, 16, 16)
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    again, other = (list(decoder.draw(vector, thumbnail, 4, eta, 1.0, seed))[-1] for seed in (1, 2))
    assert torch.equal(again, shown[-1])
    assert not torch.equal(other, again)


def test_a_decoder_that_sees_the_noise_draws_the_picture(decoder, monkeypatch):
    pixels, thumbnail = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 4, 4)
    wanted = decoder.to_difference(pixels, decoder.hint(thumbnail, 1))

    def predict(x, times, vector, hint):
        kept = decoder.noise.kept[times][:, None, None, None]
        return (x - kept.sqrt() * wanted) / (1 - kept).sqrt()

    monkeypatch.setattr(decoder, "predict", predict)
    *_, drawn = decoder.draw(torch.zeros(1, 20), thumbnail, 10, 0.0, 1.0, seed=0)
    assert torch.allclose(drawn, pixels, atol=1e-3)


@torch.no_grad()
def test_a_net_that_knows_nothing_takes_what_is_all_noise_for_noise(decoder):
    """Or else its error would be far larger than the picture: where 0.001 is kept of one, 32 times."""
    noise = torch.randn(4, *decoder.hint(None, 1).shape[1:], generator=torch.Generator().manual_seed(1))
    last = torch.full((4,), decoder.noise.steps - 1)
    vector, hint = torch.randn(4, decoder.unet.vector.in_features), decoder.hint(None, 4)
    found = decoder.noise.predict_x0(noise, last, decoder.predict(noise, last, vector, hint))
    assert found.square().mean().sqrt() < 3


def test_a_map_of_the_vector_stands_in_for_a_thumbnail():
    torch.manual_seed(0)
    decoder = DiffusionDecoder(replace(CONFIG, map_channels=4), 20)
    torch.nn.init.normal_(decoder.unet.last.weight)
    x, times, hint = torch.randn(1, 3, 16, 16), torch.tensor([20]), decoder.hint(None, 1)
    torch.nn.init.zeros_(decoder.unet.vector.weight)  # so that only the map tells of the vector
    one, other = (decoder.predict(x, times, torch.randn(1, 20), hint) for _ in range(2))
    assert not torch.allclose(one, other)


def test_weights_of_clip_are_no_part_of_a_tokenizer():
    tokenizer = SemanticTokenizer(ClipEncoder(ClipConfig("ViT-B-32", "x", dim=20)), CONFIG)
    assert {name.split(".")[0] for name in tokenizer.state_dict()} == {"quantizer", "decoder"}


@pytest.mark.parametrize("change", [{"side": 15}, {"patch": 0}, {"side": 2}])
def test_impossible_sides_are_refused(change):
    with pytest.raises(ValueError, match="multiple of patch"):
        replace(CONFIG, **change)
