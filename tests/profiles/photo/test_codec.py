"""The profile `photo` at work: qualities, stages, tiles, and tokens that are given instead of chosen."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import PHOTOGRAPH
from PIL import Image

from imgcodec import CodecError, Tokens, UsageError
from imgcodec.bitstream import container
from imgcodec.bitstream.header import Profile, Tune
from imgcodec.bitstream.sections import SectionType
from imgcodec.codec import detokenize, tokenize
from imgcodec.metrics.reference import psnr
from imgcodec.priors.integer.constants import TUNE_UNITS
from imgcodec.profiles.photo.tile_coder import prior_quality


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))


def random_tokens(codec, width, height, seed=1):
    """A header of a picture, and tokens that need not be of any."""
    rng = np.random.default_rng(seed)
    header = codec.header((width, height), 70, None)
    shapes = [(groups, -(-height // stride), -(-width // stride)) for groups, stride in ((4, 64), (6, 16))]
    return Tokens(header, [rng.integers(0, 511, shape).astype(np.int16) for shape in shapes])


@pytest.mark.parametrize(("quality", "stored"), [(0, 0), (37.5, 9600), (100, 25600), (50.001, 12800)])
def test_quality_is_stored_in_256ths(tiny_codec, photograph, quality, stored):
    assert tokenize(tiny_codec, photograph[:9, :9], quality).header.quality == stored


def test_the_first_stage_is_a_preview(tiny_codec, photograph):
    pixels = photograph[100:300, 200:456]
    tokens = tokenize(tiny_codec, pixels, 90)
    preview = detokenize(tiny_codec, Tokens(tokens.header, tokens.stages[:1]))
    assert preview.shape == pixels.shape
    assert 10 < psnr(preview, pixels) < psnr(detokenize(tiny_codec, tokens), pixels)


@pytest.mark.parametrize("size", [(1, 1), (70, 130), (1030, 20), (1100, 1050)])
def test_tokens_that_no_picture_has_come_back(tiny_model, tiny_codec, size):
    tokens = random_tokens(tiny_codec, *size)
    assert tiny_model.read_tokens(tiny_model.write_tokens(tokens)).sha256() == tokens.sha256()


def test_tiles_know_nothing_of_each_other(tiny_model, tiny_codec):
    tokens = random_tokens(tiny_codec, 2100, 60)
    before = container.read(tiny_model.write_tokens(tokens)).tokens()
    assert tokens.header.tile_count == 3
    for stage in tokens.stages:
        stage[:, :, stage.shape[2] // 2] = 255  # in the middle of the middle tile
    after = container.read(tiny_model.write_tokens(tokens)).tokens()
    assert [index for index in range(3) if before[index] != after[index]] == [1]


def test_tokens_that_do_not_fit_their_header(tiny_model, tiny_codec):
    tokens = random_tokens(tiny_codec, 70, 50)
    coarse, fine = tokens.stages
    for stages in ([coarse], [coarse, fine[:, :-1]], [fine, coarse], [coarse[:3], fine]):
        with pytest.raises(UsageError, match="shapes"):
            tiny_model.write_tokens(Tokens(tokens.header, stages))
    for value in (-1, 511):
        with pytest.raises(UsageError, match="511 codes"):
            tiny_model.write_tokens(
                Tokens(tokens.header, [coarse, np.where(fine == fine[0, 0, 0], value, fine).astype(np.int16)])
            )


@pytest.mark.parametrize("quality", [-0.1, 100.5, float("nan"), float("inf")])
def test_qualities_out_of_range(tiny_model, photograph, quality):
    with pytest.raises(UsageError, match="between 0 and 100"):
        tiny_model.compress(photograph[:9, :9], quality=quality)


@given(st.lists(st.binary(max_size=50), min_size=2, max_size=2))
@settings(max_examples=30)
def test_tokens_made_of_garbage(tiny_model, photograph, garbage):
    file = container.read(tiny_model.compress(photograph[:70, :90]))
    sections = [replace(s, data=d) for s, d in zip(file.sections, garbage, strict=True)]
    assert all(s.type == SectionType.TOKENS for s in sections)
    try:
        picture = tiny_model.decompress(container.write(file.header, sections))
    except CodecError:
        return
    assert picture.size == (90, 70)


def test_a_header_says_what_a_picture_of_the_size_becomes(tiny_codec):
    small, large = tiny_codec.header((1024, 9), None, None), tiny_codec.header((9, 1025), 100, Tune.PSNR)
    assert (small.quality, small.tile_size, small.tile_count) == (50 * 256, 0, 1)
    assert (large.quality, large.tile_size, large.tile_count) == (100 * 256, 1024, 2)
    for header in (small, large):
        assert (header.profile, header.codebook_id, header.stage_count) == (Profile.PHOTO, tiny_codec.id, 2)


def test_nothing_known_is_flat_gray(tiny_codec):
    header = tiny_codec.header((100, 70), 80, None)
    stages = tiny_codec.empty(header)
    tiny_codec.check(Tokens(header, stages))
    assert {int(value) for stage in stages for value in stage.ravel()} == {tiny_codec.tokenizer.config.codes // 2}
    pixels = tiny_codec.synthesise(Tokens(header, stages), 1)
    assert pixels.shape == (70, 100, 3)
    assert np.abs(pixels.astype(int) - 128).max() < 24


def test_what_is_chosen_is_what_is_encoded(tiny_codec, photograph):
    pixels = photograph[100:170, 200:290]
    header = tiny_codec.header((90, 70), 60, None)
    chosen = tiny_codec.choose(header, tiny_codec.analyse(pixels))
    tokens, sections = tiny_codec.encode(header, tiny_codec.analyse(pixels), pixels, 1)
    assert chosen.sha256() == tokens.sha256()
    assert tiny_codec.write(chosen) == sections


def test_quality_and_tune_are_one_number_for_the_prior(tiny_codec):
    header = tiny_codec.header((9, 9), 37.5, None)
    assert prior_quality(header) == 9600
    assert prior_quality(replace(header, tune=Tune.VISUAL)) == 9600 + TUNE_UNITS
