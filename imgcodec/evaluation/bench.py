"""Rate and distortion of a codec over a set of pictures, beside JPEG. Pure functions: no files, no terminal.

    picture ──► compress ──► bytes ──► decompress ──► picture      a Sample: one image at one quality
                               │                         │        a Mean: all images at one quality
                           size, bpp        metrics against the    a Comparison: BD-rates against JPEG,
                                            original, seconds        of one image or of the means

Conventions. Bits per pixel count every byte of the file. The PSNR and SSIMULACRA2 of all images are means of their
values; MS-SSIM is averaged first and then converted to dB. The BD-rate of all images is that of these mean curves. Each
metric is averaged over the images that are large enough for it.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

from imgcodec.evaluation import peers
from imgcodec.evaluation.bd import USUAL_RATES, BdRate, Range, bd_rate
from imgcodec.evaluation.peers import Codec, JpegMatch, JpegMatcher
from imgcodec.metrics.reference import Reference, RGBPixels, to_db

METRICS = ("psnr", "ms_ssim_db", "ssimulacra2")

_FAST = 0.25  # seconds: work that takes less is timed several times, and the best time counts
_TRIES = 3

Result = TypeVar("Result")


@dataclass(frozen=True)
class Sample:
    """One image at one quality. A metric is None where the image is too small for it."""

    codec: str
    image: str
    width: int
    height: int
    quality: float
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None
    ms_ssim_db: float | None
    ssimulacra2: float | None
    encode_seconds: float
    decode_seconds: float
    jpeg: JpegMatch | None = None  # the JPEG with the same PSNR; None where there is none, and for JPEG itself


@dataclass(frozen=True)
class JpegTotal:
    """The JPEGs of the same PSNR, over the images for which there is one."""

    images: int
    quality: float  # mean
    bytes: int
    bytes_of_ours: int  # for these images

    @property
    def saving(self) -> float:
        """The share of JPEG's bytes that the codec under test saves; below zero where it needs more."""
        return 1 - self.bytes_of_ours / self.bytes


@dataclass(frozen=True)
class Mean:
    """All images at one quality."""

    codec: str
    quality: float
    images: int
    bytes: int  # sum
    bpp: float  # mean of the images' bits per pixel
    psnr: float
    ms_ssim: float | None
    ms_ssim_db: float | None
    ssimulacra2: float | None
    encode_mp_per_second: float
    decode_mp_per_second: float
    jpeg: JpegTotal | None


@dataclass(frozen=True)
class Comparison:
    """BD-rate against JPEG in each metric."""

    psnr: BdRate
    ms_ssim_db: BdRate
    ssimulacra2: BdRate


@dataclass(frozen=True)
class Report:
    """Everything that one run measured."""

    rates: Range  # bits per pixel inside which BD-rates are taken
    samples: list[Sample]  # of the codec under test
    jpeg_samples: list[Sample]
    means: list[Mean]
    jpeg_means: list[Mean]
    bd_rate_by_image: dict[str, Comparison]
    bd_rate: Comparison
    worse_than_jpeg: dict[str, list[float]]  # images, and the qualities at which a JPEG does better


def run(
    images: Iterable[tuple[str, RGBPixels]],
    codec: Codec,
    *,
    rates: Range = USUAL_RATES,
    advance: Callable[[], None] = lambda: None,
    jpeg: Sequence[Sample] = (),
) -> Report:
    """Measures `codec` and JPEG on `images`, (name, uint8 (H, W, 3)) each, one at a time in memory.

    jpeg: the JPEG samples of an earlier report on the same images, to be used again. advance: called after each coded
    picture, `steps(codec)` times per image without those of `jpeg`. Raises ValueError without images, or when the codec
    returns a picture of another size; errors of the codec itself are passed on.
    """
    samples: list[Sample] = []
    jpeg_samples = list(jpeg)
    for name, pixels in images:
        if not samples:  # a codec's first call, with what it sets up, is not timed
            codec.decompress(codec.compress(pixels, codec.qualities[0]))
        reference = Reference(pixels)
        matcher = JpegMatcher(pixels)
        for quality in codec.qualities:
            samples.append(measure(name, reference, codec, quality, matcher))
            advance()
        for quality in () if jpeg else peers.JPEG.qualities:
            jpeg_samples.append(measure(name, reference, peers.JPEG, quality))
            advance()
    if not samples:
        raise ValueError("There are no images to measure.")
    names = dict.fromkeys(sample.image for sample in samples)
    return Report(
        rates=rates,
        samples=samples,
        jpeg_samples=jpeg_samples,
        means=means(samples),
        jpeg_means=means(jpeg_samples),
        bd_rate_by_image={
            name: compare([s for s in jpeg_samples if s.image == name], [s for s in samples if s.image == name], rates)
            for name in names
        },
        bd_rate=compare(jpeg_samples, samples, rates),
        worse_than_jpeg=worse_than_jpeg(samples, jpeg_samples),
    )


def steps(codec: Codec) -> int:
    """How many times `run` codes each image, and calls `advance`."""
    return len(codec.qualities) + len(peers.JPEG.qualities)


def measure(
    name: str, reference: Reference, codec: Codec, quality: float, matcher: JpegMatcher | None = None
) -> Sample:
    """Codes one picture at one quality, decodes and scores it; with a matcher, finds the JPEG of the same PSNR, too."""
    height, width = reference.original.shape[:2]
    data, encode_seconds = _timed(lambda: codec.compress(reference.original, quality))
    decoded, decode_seconds = _timed(lambda: codec.decompress(data))
    scores = reference.score(decoded)
    return Sample(
        codec=codec.name,
        image=name,
        width=width,
        height=height,
        quality=quality,
        bytes=len(data),
        bpp=8 * len(data) / (width * height),
        psnr=scores.psnr,
        ms_ssim=scores.ms_ssim,
        ms_ssim_db=None if scores.ms_ssim is None else to_db(scores.ms_ssim),
        ssimulacra2=scores.ssimulacra2,
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
        jpeg=matcher.nearest(scores.psnr) if matcher else None,
    )


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """The result of `work`, and its seconds by the clock: the best of three where it is fast."""
    best = float("inf")
    for _ in range(_TRIES):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
        if best > _FAST:
            break
    return result, best


def means(samples: Sequence[Sample]) -> list[Mean]:
    """One Mean for each quality, by rising quality, of samples of one codec."""
    return [
        _mean([sample for sample in samples if sample.quality == quality])
        for quality in sorted({sample.quality for sample in samples})
    ]


def _mean(samples: Sequence[Sample]) -> Mean:
    ms_ssim = [sample.ms_ssim for sample in samples if sample.ms_ssim is not None]
    ssimulacra2 = [sample.ssimulacra2 for sample in samples if sample.ssimulacra2 is not None]
    megapixels = sum(sample.width * sample.height for sample in samples) / 1e6
    matched = [(sample, sample.jpeg) for sample in samples if sample.jpeg is not None]
    return Mean(
        codec=samples[0].codec,
        quality=samples[0].quality,
        images=len(samples),
        bytes=sum(sample.bytes for sample in samples),
        bpp=fmean(sample.bpp for sample in samples),
        psnr=fmean(sample.psnr for sample in samples),
        ms_ssim=fmean(ms_ssim) if ms_ssim else None,
        ms_ssim_db=to_db(fmean(ms_ssim)) if ms_ssim else None,
        ssimulacra2=fmean(ssimulacra2) if ssimulacra2 else None,
        encode_mp_per_second=megapixels / sum(sample.encode_seconds for sample in samples),
        decode_mp_per_second=megapixels / sum(sample.decode_seconds for sample in samples),
        jpeg=JpegTotal(
            images=len(matched),
            quality=fmean(jpeg.quality for _, jpeg in matched),
            bytes=sum(jpeg.bytes for _, jpeg in matched),
            bytes_of_ours=sum(sample.bytes for sample, _ in matched),
        )
        if matched
        else None,
    )


def worse_than_jpeg(samples: Sequence[Sample], jpeg_samples: Sequence[Sample]) -> dict[str, list[float]]:
    """The images with files larger than the JPEG of the same PSNR, and the qualities of these files.

    Where even the worst JPEG has a higher PSNR, a smaller JPEG with a PSNR at least as high counts.
    """
    worse: dict[str, list[float]] = {}
    for sample in samples:
        others = [jpeg.bytes for jpeg in jpeg_samples if jpeg.image == sample.image and jpeg.psnr >= sample.psnr]
        rivals = [sample.jpeg.bytes] if sample.jpeg else others
        if any(size < sample.bytes for size in rivals):
            worse.setdefault(sample.image, []).append(sample.quality)
    return worse


def compare(anchor: Sequence[Sample], test: Sequence[Sample], rates: Range = USUAL_RATES) -> Comparison:
    """BD-rate of one codec's mean curve against another's, in each metric over the images that have it."""
    return Comparison(**{metric: bd_rate(_curve(anchor, metric), _curve(test, metric), rates) for metric in METRICS})


def _curve(samples: Sequence[Sample], metric: str) -> list[tuple[float, float]]:
    """(bits per pixel, metric) of the mean over the images that have the metric."""
    measured = [sample for sample in samples if getattr(sample, metric) is not None]
    return [(mean.bpp, getattr(mean, metric)) for mean in means(measured)]
