"""What the codec takes of a model, whatever computes it."""

from dataclasses import replace

from imgcodec.bitstream.header import Tune
from imgcodec.profiles.photo.nets import latents_of, level_of


def test_the_level_rises_with_quality_and_tunes_follow_each_other(tiny_codec) -> None:
    config = tiny_codec.photo.transforms.config
    headers = [tiny_codec.header((9, 9), quality, None) for quality in (0, 50, 100)]
    last = config.levels - 1
    assert [level_of(config, header) for header in headers] == [0, last / 2, last]
    assert level_of(config, replace(headers[2], tune=Tune.VISUAL)) == config.levels + last


def test_pixels_lie_in_their_latents() -> None:
    latents, place = latents_of((0, 170, 320, 200))
    assert latents == (0, 10, 20, 13)
    assert place == (0, 10, 320, 40)
