"""Pictures to lay over each other on the page of a report: the original, ours, and the others at the same bytes.

Ours is the file at the quality nearest to the default one. The others get the whole quality at which their file comes
nearest to its bytes.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from imgcodec.evaluation.bench import Report
from imgcodec.evaluation.peers import Codec
from imgcodec.metrics.reference import Reference, RGBPixels, Scores

MOST_PANELS = 8
MOST_PIXELS = 12_500_000
"""Of all pictures that are shown: without loss a photograph takes about 1.5 bytes a pixel, ours 1, and base64 a third
more."""

QUALITY = 50  # what `compress` takes by default
LARGEST_WEBP = 16383  # pixels each way
SHOWN_BY_BROWSERS = {"jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}


@dataclass(frozen=True)
class Layer:
    """One of the pictures. quality, file_bytes, scores: None for the original. data: a file that browsers show, of type
    `mime`."""

    codec: str
    quality: float | None
    file_bytes: int | None
    scores: Scores | None
    mime: str
    data: bytes


@dataclass(frozen=True)
class Panel:
    """What is laid over each other: the original first, then ours, then the others."""

    image: str
    width: int
    height: int
    layers: list[Layer]


def choose(report: Report) -> list[str]:
    """The images to show: those at which ours saves least and most of the first of the others' bytes, and some evenly
    between them; `MOST_PANELS` of them and `MOST_PIXELS` in all at most. By name."""
    verdict = report.verdicts[-1]
    savings = {p.image: p.saving(verdict.codec, report.others[0]) for p in verdict.pictures}
    ranked = sorted(savings, key=lambda image: -1.0 if (saving := savings[image]) is None else saving)
    count = min(MOST_PANELS, len(ranked))
    spread = [ranked[round(i * (len(ranked) - 1) / max(1, count - 1))] for i in range(count)]
    pixels = {sample.image: sample.width * sample.height for sample in report.samples[verdict.codec]}
    chosen: list[str] = []
    for image in spread:
        if sum(pixels[other] for other in chosen) + pixels[image] <= MOST_PIXELS:
            chosen.append(image)
    return sorted(chosen)


def words(report: Report, shown: Sequence[Panel]) -> str:
    """Which pictures can be laid over each other, in a sentence."""
    total = len(report.images)
    if len(shown) == total:
        return "all pictures can be laid over each other." if total > 1 else "the picture can be laid over the others."
    return f"{len(shown)} of {total} pictures can be laid over each other, so that the page does not grow too large."


def panel(
    name: str, pixels: RGBPixels, ours: Codec, others: Sequence[Codec], refused: Mapping[str, Mapping[str, str]]
) -> Panel:
    """The layers of a picture, uint8 (H, W, 3). refused: by codec, the pictures that it cannot code."""
    reference = Reference(pixels)
    quality = min(ours.qualities, key=lambda quality: abs(quality - QUALITY))
    data = ours.compress(pixels, quality)
    layers = [Layer("original", None, None, None, *_lossless(pixels)), _layer(ours, reference, quality, data)]
    for codec in others:
        if name not in refused.get(codec.name, {}):
            found = nearest_in_bytes(lambda q, codec=codec: codec.compress(pixels, q), len(data))  # type: ignore[misc]
            layers.append(_layer(codec, reference, *found))
    return Panel(name, pixels.shape[1], pixels.shape[0], layers)


def nearest_in_bytes(compress: Callable[[int], bytes], size: int) -> tuple[int, bytes]:
    """The whole quality, 1 to 99, whose file comes nearest to a size, and the file: 100 is without loss for some, and 0
    is no quality for others."""
    low, high = 1, 99
    files = {quality: compress(quality) for quality in (low, high)}
    while high - low > 1:  # files grow with quality, up to differences far smaller than those between qualities
        middle = (low + high) // 2
        files[middle] = compress(middle)
        low, high = (middle, high) if len(files[middle]) <= size else (low, middle)
    return min(((q, files[q]) for q in (low, high)), key=lambda found: abs(len(found[1]) - size))


def _layer(codec: Codec, reference: Reference, quality: float, data: bytes) -> Layer:
    """Files that browsers know are shown as they are, others as their pixels."""
    pixels = codec.decompress(data)
    shown = SHOWN_BY_BROWSERS.get(codec.name.partition("-")[0])
    mime, file = (shown, data) if shown else _lossless(pixels)
    return Layer(codec.name, quality, len(data), reference.score(pixels), mime, file)


def _lossless(pixels: RGBPixels) -> tuple[str, bytes]:
    """The type and the bytes of a file that browsers show without loss."""
    format = "WEBP" if max(pixels.shape[:2]) <= LARGEST_WEBP else "PNG"
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, lossless=True)
    return f"image/{format.lower()}", file.getvalue()
