"""A model on a set of pictures: bytes of real files, likeness of what they decode to, and recall where files are found
by what they show."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.header import Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.codec import decode_picture, load_codec
from imgcodec.encoder import encode_picture
from imgcodec.evaluation.similarity import CLIP, DEFAULT_CLIP, Metric
from imgcodec.evaluation.similarity import metrics as metrics_named
from imgcodec.metrics.reference import RGBPixels
from imgcodec.pictures import io
from imgcodec.pictures.picture import Picture
from imgcodec.profiles.decodable import read_decodable
from imgcodec.profiles.exact.codec import ExactCodec
from imgcodec.profiles.semantic.codec import SemanticCodec, with_features
from imgcodec.retrieval.store import Store, read_store
from imgcodec.storage import files
from imgcodec.tokens import TokenCodec


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


@dataclass(frozen=True)
class EvaluateSettings:
    """What is measured of pictures. metrics: by their names. store: whose files are taken; None makes new ones.
    features: where CLIP's weights are, for the metric of it and for a model that takes its features."""

    model: str
    metrics: list[str]
    store: Path | None = None
    quality: float | None = None
    tune: str | None = None
    features: str | None = None
    device: str = "cpu"
    max_pixels: int = DEFAULT_LIMITS.pixels


@dataclass(frozen=True)
class Evaluator:
    """A model whose pictures are measured. metrics: those that can be; left_out: why others cannot. stored: the store
    whose files are taken."""

    settings: EvaluateSettings
    codec: TokenCodec
    metrics: Mapping[str, Metric]
    left_out: dict[str, str]
    stored: Store | None

    def __call__(self, item: tuple[str, Path]) -> tuple[Evaluated, RGBPixels | None]:
        """Measures a picture, name and path. Gives its pixels, too, where files are searched by them. Raises as
        `io.load`, InvalidFileError for a picture that the store does not have, and CodecError for a file of the store
        that is damaged."""
        name, path = item
        pixels = io.load(path, self.settings.max_pixels).pixels
        if self.stored is not None and name not in self.stored.pictures:
            raise InvalidFileError("The store does not have it.")
        try:
            (found,) = evaluate([(name, pixels)], self.compress, self.decompress, self.metrics)
        except InvalidFileError as error:  # not of the picture, which has been read
            raise CodecError(f"The file of the store is damaged: {error}") from error
        return found, np.ascontiguousarray(pixels) if isinstance(self.codec, SemanticCodec) else None

    def compress(self, name: str, pixels: RGBPixels) -> bytes:
        """The file of a picture."""
        how = self.settings
        if how.store is None or self.stored is None:
            return encode_picture(self.codec, Picture(pixels), how.quality, tune=how.tune, exact=False).data
        return files.read(how.store / self.stored.pictures[name].file)

    def decompress(self, data: bytes) -> RGBPixels:
        """The pixels of a file."""
        most = self.settings.max_pixels
        file = read_decodable(data, most)
        codec = ExactCodec() if file.header.profile == Profile.EXACT else self.codec  # a drawing of a store
        return decode_picture(codec, file, max_pixels=most).pixels


def open_evaluator(settings: EvaluateSettings) -> Evaluator:
    """Raises UsageError for metrics that there are not and for what the model does not have, ModelNotFoundError,
    UnusableModelError, and InvalidFileError for a folder that is no store."""
    known, left_out = metrics_named(settings.metrics, settings.features or DEFAULT_CLIP)
    codec = load_codec(settings.model, settings.device)
    if isinstance(codec, SemanticCodec) and (codec.takes_clip or CLIP not in settings.metrics):
        codec = with_features(codec, settings.features)
    elif settings.features is not None and CLIP not in settings.metrics:
        raise UsageError(f"The model {codec.name} has no features.")
    stored = None
    if settings.store is not None:
        if settings.quality is not None or settings.tune is not None:
            raise UsageError("With --store, quality and tune are those of its files.")
        stored = read_store(settings.store)
        if stored is None:
            raise InvalidFileError(f"{settings.store} is no store: it has no manifest.")
    return Evaluator(settings, codec, known, left_out, stored)
