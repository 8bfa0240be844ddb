"""Tokens: their hash, their places in a picture, and the refusal of what is none of a model."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pictures import PHOTOGRAPH
from PIL import Image
from strategies import headers

from imgcodec import InvalidFileError, ModelNotFoundError, Tokens, UsageError
from imgcodec.bitstream.header import Profile, Rectangle, Tune
from imgcodec.codec import tokenize
from imgcodec.tokens import check_model, check_profile, check_scale, check_shapes, check_tokens, stage_places


def test_the_hash_of_tokens_is_of_shapes_and_values(tiny_codec):
    tokens = tokenize(tiny_codec, np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))[:70, :50])
    said = b""
    for stage in tokens.stages:
        said += b"".join(n.to_bytes(4, "little") for n in stage.shape)
        said += b"".join(int(n).to_bytes(2, "little") for n in stage.ravel())
    assert tokens.sha256() == hashlib.sha256(said).hexdigest()


def test_the_hash_is_of_every_value_and_shape_and_not_of_the_header(tiny_codec):
    header = tiny_codec.header((100, 70), 50, None)
    tokens = Tokens(header, tiny_codec.empty(header))
    changed = tiny_codec.empty(header)
    changed[1][0, 0, 0] += 1
    turned = [np.ascontiguousarray(stage.transpose(0, 2, 1)) for stage in tokens.stages]
    hashes = {t.sha256() for t in (tokens, Tokens(header, changed), Tokens(header, turned))}
    assert len(hashes) == 3
    assert Tokens(replace(header, quality=7), tokens.stages).sha256() == tokens.sha256()
    assert Tokens(header, [stage.astype(">i2") for stage in tokens.stages]).sha256() == tokens.sha256()


@given(headers(side=600), st.lists(st.sampled_from([1, 2, 16, 32, 64]), min_size=1, max_size=4))
def test_places_of_tiles_are_all_places_once(header, strides):
    for stage, stride in enumerate(strides):
        seen = np.zeros((-(-header.height // stride), -(-header.width // stride)), int)
        for tile in range(header.tile_count):
            seen[stage_places(header.tile_rectangle(tile), strides)[stage]] += 1
        assert (seen == 1).all()


def test_places_of_whole_positions():
    tile = Rectangle(256, 0, 44, 70)
    assert stage_places(tile, (64, 16)) == [(slice(0, 2), slice(4, 5)), (slice(0, 5), slice(16, 19))]
    assert stage_places(tile, (64, 16), 64) == [(slice(0, 2), slice(4, 5)), (slice(0, 8), slice(16, 20))]


def test_indices_of_the_right_shapes_pass_and_others_do_not():
    shapes = [(1, 2, 3), (4, 0, 5)]
    stages = [np.arange(6, dtype=np.int16).reshape(1, 2, 3), np.zeros((4, 0, 5), np.uint8)]
    check_shapes(stages, shapes, 6)
    for wrong, words in (
        (stages[:1], "shapes"),
        (stages[::-1], "shapes"),
        ([stages[0].astype(float), stages[1]], "arrays of integers"),
        ([stages[0].tolist(), stages[1]], "arrays of integers"),
        ([stages[0] - 1, stages[1]], "codebooks of 6 codes"),
        ([stages[0] + 1, stages[1]], "codebooks of 6 codes"),
    ):
        with pytest.raises(UsageError, match=words):
            check_shapes(wrong, shapes, 6)


def test_tokens_and_files_are_of_the_model(tiny_codec):
    header = tiny_codec.header((100, 70), 50, None)
    stages = tiny_codec.empty(header)
    check_tokens(tiny_codec, Tokens(header, stages))
    check_model(tiny_codec, header)
    check_profile(tiny_codec, header)
    stranger = replace(header, codebook_id=bytes(8))
    with pytest.raises(ModelNotFoundError, match=r"made with model 0000000000000000, not with tiny\.$"):
        check_model(tiny_codec, stranger)
    with pytest.raises(UsageError, match="another model"):
        check_tokens(tiny_codec, Tokens(stranger, stages))
    version_1 = replace(header, first_calls=0)
    for change in ({"profile": Profile.RASTER}, {"stage_count": 1}, {"tune": Tune.VISUAL}):
        with pytest.raises(InvalidFileError, match=r"its model tiny makes no such files\.$"):
            check_profile(tiny_codec, replace(version_1, **change))
        with pytest.raises(UsageError, match="no such files"):
            check_tokens(tiny_codec, Tokens(replace(version_1, **change), stages))


def test_a_model_decodes_at_its_scales(tiny_codec):
    check_scale(tiny_codec, 1)
    for scale in (0, 2, "1"):
        with pytest.raises(UsageError, match=f"^The model tiny decodes at scale 1, not at {scale}\\.$"):
            check_scale(tiny_codec, scale)
