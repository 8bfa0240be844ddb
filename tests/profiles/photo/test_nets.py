"""What the codec takes of a model, whatever computes it."""

from dataclasses import replace

from imgcodec.bitstream.header import Tune
from imgcodec.profiles.photo.nets import level_of, reach


def test_the_level_rises_with_quality_and_tunes_follow_each_other(tiny_codec) -> None:
    config = tiny_codec.photo.transforms.config
    headers = [tiny_codec.header((9, 9), quality, None) for quality in (0, 50, 100)]
    last = config.levels - 1
    assert [level_of(config, header) for header in headers] == [0, last / 2, last]
    assert level_of(config, replace(headers[2], tune=Tune.VISUAL)) == config.levels + last


def test_no_more_of_a_latent_is_taken_than_its_pixels_depend_on() -> None:
    near, place = reach((slice(0, 320), slice(170, 200)), (30, 40), 5)
    assert near == (slice(0, 25), slice(5, 18))
    assert place == (slice(0, 320), slice(90, 120))
    assert reach((slice(None), slice(None)), (3, 2), 5) == ((slice(0, 8), slice(0, 7)), (slice(0, 48), slice(0, 32)))
