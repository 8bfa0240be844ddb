"""Semantic models at work: small files, pictures that depend on the seed, features in files of other profiles."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from small_semantic import pictures

import imgcodec
from imgcodec import InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.bitstream import container
from imgcodec.bitstream.header import Profile
from imgcodec.bitstream.salvage import salvage
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.codec import decode_picture, load_codec, recover_picture
from imgcodec.encoder import encode_picture
from imgcodec.pictures.io import load
from imgcodec.pictures.picture import Picture
from imgcodec.profiles import decodable
from imgcodec.profiles.semantic.codec import as_semantic, with_drawing, with_features
from imgcodec.profiles.semantic.drawing import DrawingOptions, at_size, drawn_size


@pytest.fixture(scope="module")
def codec(semantic_path):
    return load_codec(semantic_path)


@pytest.fixture(scope="module")
def model(semantic_path):
    return imgcodec.load_model(semantic_path)


def fast(codec, **options):
    return with_drawing(codec, DrawingOptions(**{"steps": 3, **options}))


@pytest.mark.parametrize("size", [(48, 48), (1, 1), (300, 7), (65, 200)])
def test_pictures_of_any_size_are_a_few_bytes_and_come_back_at_their_size(codec, size):
    width, height = size
    pixels = np.asarray(Image.fromarray(pictures(1)[0]).resize(size))
    result = encode_picture(codec, Picture(pixels), verify=True)
    assert len(result.data) < 120
    assert result.quality is None
    file = container.read(result.data)
    assert (file.header.profile, file.header.tile_size, file.header.stage_count) == (Profile.SEMANTIC, 0, 1)
    assert decode_picture(fast(codec), file).pixels.shape == (height, width, 3)


def test_the_same_seed_draws_the_same_picture_and_another_one_another(codec):
    file = container.read(encode_picture(codec, Picture(pictures(1)[0])).data)
    first, again, other = (decode_picture(fast(codec, seed=seed), file).pixels for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_thumbnails_in_files_are_those_of_the_originals(codec):
    import torch

    made = pictures(8, seed=4)
    vectors = torch.from_numpy(codec.vectors(codec.levels(made)))
    found = codec.tokenizer.encoder.thumbnail(vectors).permute(0, 2, 3, 1).numpy().reshape(8, -1)
    side = codec.tokenizer.encoder.config.thumbnail
    small = [np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BOX), float).ravel() for p in made]
    distances = np.abs(255 * found[:, None] - np.stack(small)[None]).mean(2)
    assert (distances.argmin(1) == np.arange(8)).all()
    assert distances.diagonal().mean() < 25


def test_tokens_go_to_bytes_and_back(model):
    data = model.compress(pictures(1)[0])
    tokens = model.read_tokens(data)
    assert [stage.shape for stage in tokens.stages] == [(40, 1, 1)]
    assert model.write_tokens(tokens) == data
    tokens.stages[0][0] = 255
    with pytest.raises(UsageError, match="255 codes"):
        model.write_tokens(tokens)


def test_codes_are_tensors_for_batches(model):
    import torch

    x = torch.from_numpy(np.stack(pictures(2))).permute(0, 3, 1, 2) / 255
    (codes,) = model.encode(x)
    assert codes.shape == (2, 40, 1, 1)
    assert model.decode([codes]).shape == (2, 3, 16, 16)


def test_vectors_from_files_are_those_that_were_coded(codec):
    made = pictures(3)
    levels = codec.levels(made)
    rows = [codec.read_features(container.read(encode_picture(codec, Picture(pixels)).data)) for pixels in made]
    assert np.array_equal(np.stack(rows), levels)
    stored, floats = codec.vectors(levels), codec.features(made)
    assert np.abs(stored - floats).max() < 0.2
    cosines = (codec.search_vectors(stored) * codec.search_vectors(floats)).sum(1)
    assert cosines.min() > 0.95


def test_one_rate_and_no_pictures_of_its_own(model):
    with pytest.raises(UsageError, match="one rate"):
        model.compress(pictures(1)[0], quality=50)
    with pytest.raises(UsageError, match="no effort"):
        model.compress(pictures(1)[0], effort=3)
    with pytest.raises(UsageError, match="makes up no pictures"):
        model.generate(1, size=(64, 64))
    with pytest.raises(UsageError, match="scale 1"):
        model.decompress(model.compress(pictures(1)[0]), scale=2)


def test_gray_pictures_and_metadata_come_back(codec):
    file = io.BytesIO()
    Image.fromarray(pictures(1)[0]).convert("L").save(file, "PNG", dpi=(72, 72))
    picture = load(file.getvalue())
    found = decode_picture(fast(codec), container.read(encode_picture(codec, picture).data))
    assert found.gray
    assert found.density == picture.density
    assert (found.pixels[..., 0] == found.pixels[..., 1]).all()


def test_a_drawn_size_keeps_proportions_and_leaves_out_what_is_of_pixels(codec):
    pixels = np.zeros((100, 200, 3), np.uint8)
    data = encode_picture(codec, Picture(pixels, alpha=pixels[..., 0], density=(9, 9), xmp=b"<x/>")).data
    file = at_size(container.read(data), 128)
    assert drawn_size(file.header, 64) == (64, 32)
    found = decode_picture(fast(codec), file)
    assert found.pixels.shape == (64, 128, 3)
    assert (found.alpha, found.density, found.xmp) == (None, None, b"<x/>")


def test_more_steps_than_the_noise_has_are_refused(codec):
    file = container.read(encode_picture(codec, Picture(pictures(1)[0])).data)
    with pytest.raises(UsageError, match="at most 100 steps, not 101"):
        decode_picture(fast(codec, steps=101), file)


def test_guidance_and_progress(codec):
    file = container.read(encode_picture(codec, Picture(pictures(1)[0])).data)
    calls = []
    plain = decode_picture(fast(codec, progress=lambda: calls.append(1)), file).pixels
    guided = decode_picture(fast(codec, guidance=4.0), file).pixels
    assert len(calls) == 3
    assert not np.array_equal(plain, guided)


def test_damaged_tokens_are_refused_or_shown_as_the_mean(codec):
    file = container.read(encode_picture(codec, Picture(pictures(1)[0])).data)
    found = salvage(container.write(file.header, file.sections)[:-8])
    assert not recover_picture(fast(codec), found).is_damaged
    with pytest.raises(InvalidFileError, match="nothing of the picture"):
        recover_picture(fast(codec), salvage(container.write(file.header, file.sections)[:40]))
    (mean,) = codec.empty(file.header)
    assert np.array_equal(codec.vectors(mean.reshape(1, -1))[0], codec.tokenizer.quantizer.offset.numpy())


# Features in files of other profiles


@pytest.fixture(scope="module")
def with_section(codec, tiny_codec):
    pixels = pictures(1)[0]
    picture = Picture(pixels, features=codec.write_features(pixels))
    return pixels, encode_picture(tiny_codec, picture, verify=True, exact=False).data


def test_features_ride_in_photo_files(codec, tiny_codec, with_section):
    pixels, data = with_section
    file = container.read(data)
    assert np.array_equal(codec.read_features(file), codec.levels([pixels])[0])
    entry = next(entry for entry in file.entries if entry.name == "features")
    assert entry.type == SectionType.FEATURES == 132
    plain = encode_picture(tiny_codec, Picture(pixels), exact=False).data
    assert entry.size == len(data) - len(plain)
    assert np.array_equal(
        decode_picture(tiny_codec, file).pixels, decode_picture(tiny_codec, container.read(plain)).pixels
    )
    assert imgcodec.info(data).sections[-2].name == "features"


def test_files_of_the_profile_without_tokens_have_no_features(codec):
    header = replace(codec.header((9, 9), None, None), stage_count=0)
    with pytest.raises(InvalidFileError, match="0 stages"):
        codec.read_features(container.read(container.write(header, [])))


def test_files_without_features_and_with_those_of_others_are_told_apart(codec, tiny_codec, with_section):
    pixels, data = with_section
    with pytest.raises(InvalidFileError, match="no features"):
        codec.read_features(container.read(encode_picture(tiny_codec, Picture(pixels), exact=False).data))
    file = container.read(data)
    other = Section(SectionType.FEATURES, 0, 0, b"another!" + b"123")
    changed = container.write(file.header, [*(s for s in file.sections if s.type != SectionType.FEATURES), other])
    with pytest.raises(ModelNotFoundError, match=b"another!".hex()):
        codec.read_features(container.read(changed))


@pytest.mark.parametrize("size", [0, 7, 2**14 + 1])
def test_sections_of_impossible_sizes_are_refused(with_section, size):
    _, data = with_section
    file = container.read(data)
    kept = [s for s in file.sections if s.type != SectionType.FEATURES]
    with pytest.raises(InvalidFileError, match="features section"):
        decodable.read_decodable(
            container.write(file.header, [*kept, Section(SectionType.FEATURES, 0, 0, bytes(size))])
        )


def test_other_models_draw_nothing(tiny_codec, codec):
    with pytest.raises(UsageError, match="profile semantic"):
        with_drawing(tiny_codec, DrawingOptions())
    with pytest.raises(UsageError, match="A search takes a model"):
        as_semantic(tiny_codec, "A search")
    with pytest.raises(UsageError, match="encoder of its own"):
        with_features(codec, "open_clip:ViT-B-32/x")
    assert with_features(codec, None) is codec
