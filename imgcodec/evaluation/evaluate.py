"""A model on a set of pictures: bytes of real files, likeness of what they decode to, and recall where files are found
by what they show."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from imgcodec.evaluation.similarity import Metric
from imgcodec.metrics.reference import RGBPixels


@dataclass(frozen=True)
class Evaluated:
    """A picture. figures: of each metric; None where the picture is too small for it."""

    name: str
    width: int
    height: int
    bytes: int
    bpp: float
    figures: dict[str, float | None]


@dataclass(frozen=True)
class Evaluation:
    """pictures: each of them. mean: of each figure, over the pictures that have it; and of bytes and bpp. left_out: why
    a metric was not measured. retrieval: recall by kind of query, for models whose files are searched."""

    model: str
    pictures: list[Evaluated]
    mean: dict[str, float]
    left_out: dict[str, str] = field(default_factory=dict)
    retrieval: dict[str, dict[str, float]] = field(default_factory=dict)


def evaluate(
    pictures: Iterable[tuple[str, RGBPixels]],
    compress: Callable[[str, RGBPixels], bytes],
    decompress: Callable[[bytes], RGBPixels],
    metrics: Mapping[str, Metric],
) -> list[Evaluated]:
    """Measures pictures, (name, uint8 (H, W, 3)). compress: of name and pixels, the file, which may be an old one."""
    found = []
    for name, pixels in pictures:
        data = compress(name, pixels)
        decoded = decompress(data)
        height, width = pixels.shape[:2]
        figures = {kind: metric(pixels, decoded) for kind, metric in metrics.items()}
        found.append(Evaluated(name, width, height, len(data), 8 * len(data) / (width * height), figures))
    return found


def means(pictures: list[Evaluated]) -> dict[str, float]:
    """Of bytes, bits per pixel and each metric; of a metric that no picture is large enough for, none."""
    found = {"bytes": fmean(p.bytes for p in pictures), "bpp": fmean(p.bpp for p in pictures)}
    for name in pictures[0].figures:
        values = [value for p in pictures if (value := p.figures[name]) is not None]
        if values:
            found[name] = fmean(values)
    return found
