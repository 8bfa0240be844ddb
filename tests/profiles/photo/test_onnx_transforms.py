"""The transforms in ONNX Runtime are those in PyTorch: latents to rounding, pixels to a gray level."""

import numpy as np
import pytest
from two_tunes import save_two_tunes

from imgcodec import speed
from imgcodec.model_file.contents import open_contents
from imgcodec.profiles.photo.model import load_photo_model
from imgcodec.profiles.photo.onnx_transforms import OnnxTransforms


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """In PyTorch and in ONNX Runtime, of a model with two tunes."""
    path = tmp_path_factory.mktemp("tunes") / "both.safetensors"
    save_two_tunes(path)
    photo = load_photo_model(str(path))
    return photo.transforms, OnnxTransforms(photo.tokenizer.config, open_contents(path).tensors)


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    monkeypatch.setattr(speed, "bfloat16_is_native", lambda: False)


@pytest.mark.parametrize("level", [0.0, 1.3, 3.0, 5.2, 7.0])
@pytest.mark.parametrize("size", [(64, 64), (128, 192)])
def test_pixels_to_tokens_and_back(both, level, size):
    rng = np.random.default_rng(3)
    pixels = (rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3)).repeat(8, 0).repeat(8, 1)).astype(np.uint8)
    shown = (0, 0, size[0] // 16, size[1] // 16)
    expected, found = (transforms.analyse(pixels, shown) for transforms in both)
    assert np.abs(found - expected.numpy()).max() < 1e-3

    quantized = [t.quantize(latent, level, masked=True) for t, latent in zip(both, (expected, found), strict=True)]
    for values, others in zip(*quantized, strict=True):
        assert values.shape == others.shape
        assert np.mean(np.abs(values.astype(np.float32) - others) > 0.02) < 0.02

    zero = both[0].config.zero
    tokens = [(np.rint(stage) + zero).astype(np.int16) for stage in quantized[0][:2]]
    shown = (3, 10, 60, 61)
    expected, found = (t.synthesise(*tokens, level, shown).astype(int) for t in both)
    assert found.shape == expected.shape == (57, 51, 3)
    assert np.abs(found - expected).max() <= 1
    for reduction in (8, 16, 64):
        expected, found = (t.reduced(*tokens, level, reduction).astype(int) for t in both)
        assert found.shape == expected.shape == (size[0] // reduction, size[1] // reduction, 3)
        assert np.abs(found - expected).max() <= 1


def test_the_known_picture_is_that_of_pytorch(both):
    from imgcodec.tokenizers.known_picture import known_picture

    transforms, onnx = both
    expected, found = known_picture(transforms.tokenizer), np.concatenate([onnx.known_picture(tune) for tune in (0, 1)])
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
