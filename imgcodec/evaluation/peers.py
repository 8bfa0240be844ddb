"""The codecs to compare ours with, as Pillow makes their files: JPEG, WebP, AVIF and JPEG XL, those that are here."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from PIL import Image, features

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.exact.plugins import save
from imgcodec.metrics.reference import RGBPixels, psnr

# Qualities that draw the JPEG curve from 0.1 to 3 bits per pixel on photographs.
JPEG_QUALITIES = (2, 5, 10, 16, 25, 35, 50, 65, 78, 87, 92)
WEBP_QUALITIES = (0, 4, 12, 28, 50, 70, 82, 90, 95)
AVIF_QUALITIES = (4, 8, 16, 26, 36, 46, 56, 66, 76, 86)
JXL_QUALITIES = (5, 15, 30, 45, 60, 72, 82, 90, 95)

TITLES = {
    "jpeg": "JPEG",
    "webp": "WebP",
    "avif": "AVIF",
    "avif-ssimulacra2": "AVIF tuned for SSIMULACRA2",
    "avif-psnr": "AVIF tuned for PSNR",
    "jxl": "JPEG XL",
}
"""Every peer: its name on the command line, and in a sentence."""


@dataclass(frozen=True)
class Codec:
    """A codec under test: two functions, and the qualities of the points of its curve."""

    name: str
    qualities: tuple[float, ...]
    compress: Callable[[RGBPixels, float], bytes]
    decompress: Callable[[bytes], RGBPixels]


def _save(pixels: RGBPixels, format: str, **options: object) -> bytes:
    return save(Image.fromarray(pixels), format, **options)


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


def avif_tuned(tune: str, pixels: RGBPixels, quality: float) -> bytes:
    """AVIF with one of libaom's tunes and chroma at full resolution (4:4:4), which wins a little in every metric."""
    return _save(pixels, "AVIF", quality=round(quality), subsampling="4:4:4", advanced={"tune": tune})


def jxl(pixels: RGBPixels, quality: float) -> bytes:
    """Lossy JPEG XL as pillow-jxl-plugin makes it by default (libjxl, effort 7). Quality 0 to 100, rounded."""
    return _save(pixels, "JXL", quality=round(quality), lossless=False)


def png(pixels: RGBPixels) -> bytes:
    """PNG, which loses nothing, with Pillow's best compression."""
    return _save(pixels, "PNG", optimize=True)


def webp_lossless(pixels: RGBPixels) -> bytes | None:
    """Lossless WebP as Pillow makes it by default; None where that cannot be made."""
    try:
        return _save(pixels, "WEBP", lossless=True)
    except (OSError, ValueError, KeyError):  # over 16383 pixels a side, or no WebP at all
        return None


JPEG = Codec("jpeg", JPEG_QUALITIES, jpeg, decode)


def peers_named(names: Sequence[str]) -> tuple[list[Codec], dict[str, str]]:
    """The peers of these names that this machine has, and why others are left out, a sentence each. Raises UsageError
    for names that are none of `TITLES`."""
    unknown = [name for name in names if name not in TITLES]
    if unknown:
        raise UsageError(f"There is no codec {unknown[0]!r:.40} to compare with, only {', '.join(TITLES)}.")
    found, missing = [], {}
    for name in dict.fromkeys(names):
        try:
            found.append(_peer(name))
        except CodecError as error:
            missing[name] = str(error)
    return found, missing


def _peer(name: str) -> Codec:
    """Raises CodecError where this machine does not have it."""
    if name in ("webp", "avif") and not features.check(name):
        raise CodecError(f"Pillow was built without {TITLES[name]} here.")
    match name:
        case "jpeg":
            return JPEG
        case "webp":
            return Codec(name, WEBP_QUALITIES, webp, decode)
        case "avif":
            return Codec(name, AVIF_QUALITIES, avif, decode)
        case "jxl":
            if find_spec("pillow_jxl") is None:
                raise CodecError("JPEG XL needs pillow-jxl-plugin: pip install 'imgcodec[bench]'.")
            import_module("pillow_jxl")  # which tells Pillow of the format
            return Codec(name, JXL_QUALITIES, jxl, decode)
    tune = name.removeprefix("avif-")
    try:
        avif_tuned(tune, np.zeros((16, 16, 3), np.uint8), 50)
    except (OSError, ValueError, KeyError):  # no AVIF at all, or an older libaom
        raise CodecError(f"Pillow's AVIF knows no tune={tune} here.") from None
    return Codec(name, AVIF_QUALITIES, partial(avif_tuned, tune), decode)


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
