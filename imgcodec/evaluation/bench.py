"""Rate and distortion of our codecs and of others over a set of pictures. Pure functions: no files, no terminal.

    picture ──► compress ──► bytes ──► decompress ──► picture      a Sample: one image at one quality
                               │                         │        a Mean: all images at one quality
                           size, bpp        metrics against the    a Comparison: BD-rates against the first of the
                                            original, seconds        others, of one image or of the means
                                                                   a Verdict: bytes where all are as like the original

Conventions. Bits per pixel count every byte of the file. The PSNR and SSIMULACRA2 of all images are means of their
values; MS-SSIM is averaged first and then converted to dB. The BD-rate of all images is that of these mean curves. Each
metric is averaged over the images that are large enough for it.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

from imgcodec.api import compress
from imgcodec.encoder import MANY_DRAWN
from imgcodec.evaluation import peers
from imgcodec.evaluation.bd import USUAL_RATES, BdRate, Range, bd_rate
from imgcodec.evaluation.peers import Codec
from imgcodec.evaluation.verdict import Verdict, verdict_on
from imgcodec.metrics.reference import Reference, RGBPixels, to_db
from imgcodec.profiles.photo.choice import drawn

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


@dataclass(frozen=True)
class Comparison:
    """BD-rate against another codec in each metric, over the images that both have coded."""

    psnr: BdRate
    ms_ssim_db: BdRate
    ssimulacra2: BdRate


@dataclass(frozen=True)
class Drawing:
    """A picture of which many blocks look drawn: bytes without a loss, of ours and of others."""

    image: str
    ours: int
    png: int
    webp: int | None  # None where WebP cannot hold it


@dataclass(frozen=True)
class Report:
    """Everything that one run measured, by codec. Only BD-rates by image are of ours alone."""

    rates: Range  # bits per pixel inside which BD-rates are taken
    ours: list[str]  # codecs, the one that is used by default last
    others: list[str]  # the first is what BD-rates are against
    samples: dict[str, list[Sample]]
    means: dict[str, list[Mean]]
    png_bytes: dict[str, int]  # of each image
    drawings: list[Drawing]
    bd_rate: dict[str, Comparison]
    bd_rate_by_image: dict[str, dict[str, Comparison]]  # codec, image
    verdicts: list[Verdict]  # on each of ours
    refused: dict[str, dict[str, str]]  # codec, image: why one of the others could not code it

    @property
    def images(self) -> list[str]:
        return list(self.png_bytes)


def run(
    images: Iterable[tuple[str, RGBPixels]],
    ours: Sequence[Codec],
    others: Sequence[Codec],
    *,
    rates: Range = USUAL_RATES,
    advance: Callable[[], None] = lambda: None,
) -> Report:
    """Measures codecs on `images`, (name, uint8 (H, W, 3)) each, one at a time in memory.

    advance: called after each coded picture, `steps([*ours, *others])` times per image. Raises ValueError without
    images, or when a codec returns a picture of another size; errors of ours are passed on.
    """
    samples: dict[str, list[Sample]] = {codec.name: [] for codec in (*ours, *others)}
    refused: dict[str, dict[str, str]] = {}
    png_bytes: dict[str, int] = {}
    drawings: list[Drawing] = []
    for name, pixels in images:
        if not png_bytes:  # a codec's first call, with what it sets up, is not timed
            for codec in ours:
                codec.decompress(codec.compress(pixels, codec.qualities[0]))
        png_bytes[name] = len(peers.png(pixels))
        if drawn(pixels).mean() >= MANY_DRAWN:
            webp = peers.webp_lossless(pixels)
            size = len(compress(pixels, lossless=True, max_pixels=pixels.size))
            drawings.append(Drawing(name, size, png_bytes[name], None if webp is None else len(webp)))
        reference = Reference(pixels)
        for codec in ours:
            for quality in codec.qualities:
                samples[codec.name].append(measure(name, reference, codec, quality))
                advance()
        for codec in others:
            try:  # WebP ends at 16383 pixels each way, JPEG at 65535
                codec.compress(pixels, codec.qualities[0])
            except (OSError, ValueError, RuntimeError) as error:
                refused.setdefault(codec.name, {})[name] = str(error)
            for quality in codec.qualities:
                if name not in refused.get(codec.name, {}):
                    samples[codec.name].append(measure(name, reference, codec, quality))
                advance()
    if not png_bytes:
        raise ValueError("There are no images to measure.")
    anchor = samples[others[0].name]
    return Report(
        rates=rates,
        ours=[codec.name for codec in ours],
        others=[codec.name for codec in others],
        samples=samples,
        means={name: means(of_codec) for name, of_codec in samples.items()},
        png_bytes=png_bytes,
        drawings=drawings,
        bd_rate={name: compare(anchor, of_codec, rates) for name, of_codec in samples.items()},
        bd_rate_by_image={
            codec.name: {
                name: compare(_of_image(anchor, name), _of_image(samples[codec.name], name), rates)
                for name in png_bytes
            }
            for codec in ours
        },
        verdicts=[verdict_on(codec.name, [c.name for c in others], samples, png_bytes) for codec in ours],
        refused=refused,
    )


def steps(codecs: Iterable[Codec]) -> int:
    """How many times `run` calls `advance` for each image."""
    return sum(len(codec.qualities) for codec in codecs)


def _of_image(samples: Sequence[Sample], image: str) -> list[Sample]:
    return [sample for sample in samples if sample.image == image]


def measure(name: str, reference: Reference, codec: Codec, quality: float) -> Sample:
    """Codes one picture at one quality, decodes and scores it."""
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
    )


def compare(anchor: Sequence[Sample], test: Sequence[Sample], rates: Range = USUAL_RATES) -> Comparison:
    """BD-rate of one codec's mean curve against another's, in each metric over the images that both have with it."""
    common = {sample.image for sample in anchor} & {sample.image for sample in test}
    one, other = ([sample for sample in samples if sample.image in common] for samples in (anchor, test))
    return Comparison(**{metric: bd_rate(_curve(one, metric), _curve(other, metric), rates) for metric in METRICS})


def _curve(samples: Sequence[Sample], metric: str) -> list[tuple[float, float]]:
    """(bits per pixel, metric) of the mean over the images that have the metric."""
    measured = [sample for sample in samples if getattr(sample, metric) is not None]
    return [(mean.bpp, getattr(mean, metric)) for mean in means(measured)]
