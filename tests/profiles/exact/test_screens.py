"""Screenshots: never much larger than as PNG or WebP without a loss, and never worse than WebP of as many bytes."""

import io

import numpy as np
import pytest
from drawn_screens import COUNT, screen
from numpy.typing import NDArray
from PIL import Image

import imgcodec

SLACK = 40  # bytes: a header, the frame of a section and the end, of small screens


@pytest.fixture(scope="module")
def photo():
    return imgcodec.load_model("photo")


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def error(pixels: NDArray[np.uint8], image: Image.Image) -> float:
    return float(np.square(pixels.astype(float) - np.asarray(image.convert("RGB"))).mean())


def webp_of(image: Image.Image, size: int) -> Image.Image:
    """The best lossy WebP of at most so many bytes, or the smallest."""
    low, high = 0, 100
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(saved(image, "WEBP", quality=middle)) <= size else (low, middle - 1)
    return Image.open(io.BytesIO(saved(image, "WEBP", quality=low)))


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, COUNT))])
def test_a_screen_is_small_and_good(photo, seed):
    image = screen(seed)
    pixels = np.asarray(image)
    data = photo.compress(image, quality=75)
    lossless = min(len(saved(image, "WEBP", lossless=True)), len(saved(image, "PNG", optimize=True)))
    assert len(data) <= 1.05 * lossless + SLACK
    back = photo.decompress(data)
    if imgcodec.info(data).lossless:
        np.testing.assert_array_equal(np.asarray(back), pixels)
    else:
        assert error(pixels, back) < error(pixels, webp_of(image, len(data)))
