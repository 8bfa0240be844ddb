"""Our models as codecs to measure."""

from pathlib import Path

import numpy as np
import pytest
from evaluation.pictures import waves
from raster_models import small_model

import imgcodec
from imgcodec.bitstream.errors import ModelNotFoundError, UsageError
from imgcodec.evaluation.ours import DEFAULT_QUALITIES, codecs_of_model
from imgcodec.model_file.model import save_model

TINY = str(Path(__file__).parents[1] / "golden" / "tiny.safetensors")


def test_a_codec_makes_the_files_that_compress_makes():
    (codec,) = codecs_of_model(TINY, "cpu", (20, 60), None)
    assert (codec.name, codec.qualities) == ("imgcodec psnr", (20, 60))
    pixels = waves(60, 80)
    data = codec.compress(pixels, 20)
    model = imgcodec.load_model(TINY)
    assert data == model.compress(pixels, quality=20)
    assert np.array_equal(codec.decompress(data), np.asarray(model.decompress(data)))


def test_every_tune_of_the_shipped_model_the_default_last():
    codecs = codecs_of_model("photo", "cpu", None, None)
    assert [codec.name for codec in codecs] == ["imgcodec psnr", "imgcodec visual"]
    assert codecs[-1].qualities == DEFAULT_QUALITIES
    data = codecs[-1].compress(waves(32, 32), 50)
    assert data == imgcodec.compress(waves(32, 32), quality=50, exact=False)
    assert [codec.name for codec in codecs_of_model("photo", "cpu", None, "psnr")] == ["imgcodec psnr"]


def test_a_model_of_one_rate(tmp_path):
    path = tmp_path / "small.safetensors"
    save_model(path, *small_model("vq", "raster"))
    (codec,) = codecs_of_model(str(path), "cpu", None, None)
    assert (codec.name, codec.qualities) == ("imgcodec small", (0,))
    pixels = waves(32, 40)
    assert codec.decompress(codec.compress(pixels, 0)).shape == pixels.shape
    with pytest.raises(UsageError, match="one rate"):
        codecs_of_model(str(path), "cpu", (50,), None)


def test_a_model_that_is_not_there():
    with pytest.raises(ModelNotFoundError):
        codecs_of_model("nowhere", "cpu", None, None)
