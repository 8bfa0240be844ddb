"""The classical codecs of Pillow, to compare ours with: JPEG, and WebP and AVIF where Pillow has them."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, features

from imgcodec.metrics.reference import RGBPixels, psnr

# Qualities that draw the JPEG curve from 0.1 to 3 bits per pixel on photographs.
JPEG_QUALITIES = (2, 5, 10, 16, 25, 35, 50, 65, 78, 87, 92)
WEBP_QUALITIES = (0, 4, 12, 28, 50, 70, 82, 90, 95)
AVIF_QUALITIES = (4, 8, 16, 26, 36, 46, 56, 66, 76, 86)


@dataclass(frozen=True)
class Codec:
    """A codec under test: two functions, and the qualities of the points of its curve."""

    name: str
    qualities: tuple[float, ...]
    compress: Callable[[RGBPixels, float], bytes]
    decompress: Callable[[bytes], RGBPixels]


def _save(pixels: RGBPixels, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def decode(data: bytes) -> RGBPixels:
    """The RGB pixels of any file that Pillow reads."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def jpeg(pixels: RGBPixels, quality: float) -> bytes:
    """Baseline JPEG with chroma at half resolution (4:2:0) and optimized Huffman tables. Quality 0 to 100, rounded."""
    return _save(pixels, "JPEG", quality=round(quality), subsampling="4:2:0", optimize=True)


def webp(pixels: RGBPixels, quality: float) -> bytes:
    """Lossy WebP as Pillow makes it by default. Quality 0 to 100, rounded."""
    return _save(pixels, "WEBP", quality=round(quality))


def avif(pixels: RGBPixels, quality: float) -> bytes:
    """AVIF as Pillow makes it by default (libaom, speed 6, 4:2:0, all cores). Quality 0 to 100, rounded."""
    return _save(pixels, "AVIF", quality=round(quality))


JPEG = Codec("jpeg", JPEG_QUALITIES, jpeg, decode)


def available() -> list[Codec]:
    """JPEG, and whichever of WebP and AVIF this Pillow was built with."""
    codecs = [JPEG]
    if features.check("webp"):
        codecs.append(Codec("webp", WEBP_QUALITIES, webp, decode))
    if features.check("avif"):
        codecs.append(Codec("avif", AVIF_QUALITIES, avif, decode))
    return codecs


@dataclass(frozen=True)
class JpegMatch:
    """The JPEG file that comes nearest to a wanted PSNR."""

    quality: int
    bytes: int
    psnr: float


class JpegMatcher:
    """Finds the JPEG quality that gives one picture a wanted PSNR. It keeps the results of what it has tried."""

    LOWEST, HIGHEST = 1, 100

    def __init__(self, original: RGBPixels) -> None:
        """`original`: uint8 (H, W, 3)."""
        self._original = original
        self._tried: dict[int, JpegMatch] = {}

    def _at(self, quality: int) -> JpegMatch:
        if quality not in self._tried:
            data = jpeg(self._original, quality)
            self._tried[quality] = JpegMatch(quality, len(data), psnr(self._original, decode(data)))
        return self._tried[quality]

    def nearest(self, wanted: float) -> JpegMatch | None:
        """The whole quality whose PSNR is nearest to `wanted` dB; None where JPEG is better at its worst or worse at
        its best."""
        low, high = self.LOWEST, self.HIGHEST
        if not self._at(low).psnr <= wanted <= self._at(high).psnr:
            return None
        while high - low > 1:  # PSNR rises with quality, up to differences far smaller than a step of quality makes
            middle = (low + high) // 2
            low, high = (middle, high) if self._at(middle).psnr <= wanted else (low, middle)
        return min(self._at(low), self._at(high), key=lambda match: abs(match.psnr - wanted))
