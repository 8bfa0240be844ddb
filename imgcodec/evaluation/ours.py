"""Our models as codecs to measure, between pixels and bytes."""

import warnings
from typing import Any

import numpy as np

from imgcodec.api import Model, load_model
from imgcodec.bitstream.errors import LossWarning, UsageError
from imgcodec.evaluation.peers import Codec
from imgcodec.metrics.reference import RGBPixels

DEFAULT_QUALITIES = (5.0, 15.0, 25.0, 35.0, 50.0, 65.0, 80.0, 95.0)


def codecs_of_model(
    name_or_path: str, device: str, qualities: tuple[float, ...] | None, tune: str | None, effort: int = 1
) -> list[Codec]:
    """A codec for one tune or for each that the model has, the one that is used by default last.

    qualities: rising, 0 to 100; None for the usual ones. A model of one rate is measured at that, which counts as
    quality 0, and takes no others: UsageError. Raises what loading a model raises.
    """
    model = load_model(name_or_path, device=device)
    if not model.has_qualities:
        if qualities is not None:
            raise UsageError(f"The model {model.name} has one rate: it takes no quality.")
        return [_of_one_rate(model, tune, effort)]
    tunes = model.tunes if tune is None else [tune]
    return [_tuned(model, qualities or DEFAULT_QUALITIES, each, effort) for each in tunes]


def _of_one_rate(model: Model, tune: str | None, effort: int) -> Codec:
    def compress(pixels: RGBPixels, quality: float) -> bytes:
        return _alone(model, pixels, tune=tune, effort=effort)

    return Codec(f"imgcodec {model.name}", (0,), compress, lambda data: _decompress(model, data))


def _tuned(model: Model, qualities: tuple[float, ...], tune: str, effort: int) -> Codec:
    def compress(pixels: RGBPixels, quality: float) -> bytes:
        return _alone(model, pixels, quality=quality, tune=tune, effort=effort)

    return Codec(f"imgcodec {tune}", qualities, compress, lambda data: _decompress(model, data))


def _alone(model: Model, pixels: RGBPixels, **how: Any) -> bytes:
    """What the model makes of a picture, with no exact pixels; it is measured how far that is from the original."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        return model.compress(pixels, exact=False, **how)


def _decompress(model: Model, data: bytes) -> RGBPixels:
    return np.asarray(model.decompress(data).convert("RGB"))
