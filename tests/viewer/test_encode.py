"""The viewer's encoder, under Node: the program reads what it writes, as the same tokens."""

import base64
import json

import numpy as np
import pytest
from fuzz.corpus import GOLDEN
from PIL import Image

import imgcodec
from imgcodec.metrics.reference import psnr

ID = json.loads((GOLDEN / "golden.json").read_text())["model"]["id"]
TINY = str(GOLDEN / "tiny.safetensors")


def picture(width: int, height: int, has_alpha: bool = False) -> np.ndarray:
    """A part of the example photograph, RGBA."""
    path = GOLDEN.parents[1] / "examples" / "photo.png"
    pixels = np.asarray(Image.open(path).convert("RGBA")).copy()
    pixels = np.tile(pixels, (1, -(-width // pixels.shape[1]), 1))[-height:, :width]
    if has_alpha:
        pixels[..., 3] = np.linspace(0, 255, width).round()
        pixels[height // 2 :, : width // 2, 3] = 7
    return pixels


@pytest.fixture
def compressed(ask, models):
    def compress(pixels: np.ndarray, quality: float) -> bytes:
        height, width, _ = pixels.shape
        head = json.dumps({"width": width, "height": height, "quality": quality, "id": ID}).encode()
        answer, _ = ask("compress", [head + b"\n" + pixels.tobytes()], str(models), timeout=600)
        return base64.b64decode(answer["file"])

    return compress


@pytest.mark.parametrize(
    ("width", "height", "quality"), [(1, 1, 50), (64, 64, 0), (200, 150, 62.5), (150, 70, 100), (1100, 40, 80)]
)
def test_the_program_reads_the_same_tokens(ask, models, compressed, tiny_model, width, height, quality):
    pixels = picture(width, height)
    data = compressed(pixels, quality)
    info = imgcodec.info(data)
    assert (info.size, info.quality, info.mode, info.model_id) == ((width, height), quality, "RGB", ID)
    tokens = tiny_model.read_tokens(data)
    answer, _ = ask("picture", [data], str(models))
    assert answer["sha256"] == tokens.sha256()
    # of the same kind: the page keeps no pixels exactly, and the program would, in small pictures
    ours = tiny_model.compress(pixels[..., :3], quality=quality, exact=False)
    found, expected = (psnr(pixels[..., :3], np.asarray(tiny_model.decompress(each))) for each in (data, ours))
    assert found == pytest.approx(expected, abs=0.3)
    assert len(data) == pytest.approx(len(ours), rel=0.02, abs=15)


def test_alpha_is_kept(compressed, tiny_model):
    pixels = picture(90, 60, has_alpha=True)
    found = np.asarray(tiny_model.decompress(compressed(pixels, 50)))
    assert np.array_equal(found[..., 3], pixels[..., 3])


def test_a_mask_is_small(compressed, tiny_model):
    pixels = picture(400, 300)
    pixels[100:200, 50:300, 3] = 0
    data = compressed(pixels, 30)
    alpha = next(section for section in imgcodec.info(data).sections if section.name == "alpha")
    assert alpha.bytes < 5000  # of 120,000
    assert np.array_equal(np.asarray(tiny_model.decompress(data))[..., 3], pixels[..., 3])
