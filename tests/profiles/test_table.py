"""The table of profiles: what a file can be of, a model can be of."""

from dataclasses import replace
from pathlib import Path

import pytest

import imgcodec
from imgcodec.bitstream.header import Profile
from imgcodec.codec import load_codec as load_by_name
from imgcodec.model_file.model import open_model
from imgcodec.profiles import PROFILES, load_codec
from imgcodec.training.recipe import READERS

GOLDEN = Path(__file__).parents[1] / "golden"


def test_every_profile_with_models_can_be_trained():
    assert set(READERS) == set(PROFILES) - {Profile.EXACT}


def test_no_model_is_of_the_profile_exact():
    file = open_model(str(GOLDEN / "tiny.safetensors"))
    with pytest.raises(imgcodec.CodecError, match=r"which has no models\.$"):
        load_codec(replace(file, config={**file.config, "profile": "exact"}), "cpu")


@pytest.mark.parametrize("name", ["tiny", "snac", "svqvae", "pixelcnn", "bsq", "semantic"])
def test_the_table_knows_which_models_have_qualities(name):
    codec = load_by_name(GOLDEN / f"{name}.safetensors")
    assert PROFILES[codec.profile].has_qualities == codec.has_qualities


@pytest.mark.parametrize("name", ["tiny", "snac", "svqvae", "pixelcnn", "bsq", "semantic"])
def test_the_table_knows_which_codecs_decode_parts(name):
    codec = load_by_name(GOLDEN / f"{name}.safetensors")
    reductions = PROFILES[codec.profile].reductions
    assert all(hasattr(codec, method) == bool(reductions) for method in ("margin", "reduced_end", "decode_reduced"))
    assert list(reductions) == sorted(reductions, reverse=True)
    assert all(codec.strides[0] % reduction == 0 for reduction in reductions)


@pytest.mark.parametrize("profile", ["Semantic", "PHOTO", "", "x" * 1000])
def test_a_model_of_another_profile_is_refused(profile):
    file = open_model(str(GOLDEN / "tiny.safetensors"))
    other = replace(file, config={**file.config, "profile": profile})
    with pytest.raises(imgcodec.CodecError, match="is not known"):
        load_codec(other, "cpu")
