"""How like two pictures are: the metrics that `imgcodec eval` knows. Those of extras are left out, with a word, where
the extra is not installed or its weights cannot be had."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.metrics.reference import Reference, RGBPixels, Scores
from imgcodec.pictures.square import as_square
from imgcodec.tokenizers.clip import clip_encoder

Metric = Callable[[RGBPixels, RGBPixels], float | None]
"""(original, decoded), uint8 (H, W, 3) of one size -> a figure; None where they are too small for it."""

CLIP = "clip"
DEFAULT_CLIP = "open_clip:ViT-B-32/laion2b_s34b_b79k"
SMALLEST_SSIM, SMALLEST_LPIPS = 7, 32  # pixels, each way
UNITS = {
    "psnr": "dB", "ssim": "0..1", "ms-ssim": "0..1", "ssimulacra2": "up to 100", "lpips": "0 is alike", CLIP: "cosine"
}  # fmt: skip


def metrics(names: Sequence[str], clip: str = DEFAULT_CLIP) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics of these names, and why others of them are left out. clip: the model of the CLIP similarity, as
    `--features` takes it. Raises UsageError for unknown names and for what `--features` does not take."""
    unknown = [name for name in names if name not in UNITS]
    if unknown:
        raise UsageError(f"There is no metric {unknown[0]!r:.40}, only {', '.join(UNITS)}.")
    makers: dict[str, Callable[[], Metric]] = {
        "psnr": lambda: lambda a, b: _scores(a, b).psnr,
        "ms-ssim": lambda: lambda a, b: _scores(a, b).ms_ssim,
        "ssimulacra2": lambda: lambda a, b: _scores(a, b).ssimulacra2,
        "ssim": _ssim,
        "lpips": _lpips,
        CLIP: lambda: _clip(clip),
    }
    found, missing = {}, {}
    for name in dict.fromkeys(names):
        try:
            found[name] = makers[name]()
        except UsageError:
            raise
        except CodecError as error:
            missing[name] = str(error)
    return found, missing


def _scores(original: RGBPixels, decoded: RGBPixels) -> Scores:
    """Three metrics, which share most of their work: computed once for the same two pictures, one after the other."""
    return _last_scores(_Pair(original, decoded))


class _Pair:
    """Two pictures, told from others by identity."""

    def __init__(self, original: RGBPixels, decoded: RGBPixels) -> None:
        self.original, self.decoded = original, decoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pair) and self.original is other.original and self.decoded is other.decoded

    def __hash__(self) -> int:
        return hash((id(self.original), id(self.decoded)))


@lru_cache(maxsize=1)
def _last_scores(pair: _Pair) -> Scores:
    return Reference(pair.original).score(pair.decoded)


def _ssim() -> Metric:
    if find_spec("skimage") is None:
        raise CodecError("SSIM needs scikit-image: pip install 'imgcodec[eval]'.")
    structural_similarity = import_module("skimage.metrics").structural_similarity

    def measure(original: RGBPixels, decoded: RGBPixels) -> float | None:
        if min(original.shape[:2]) < SMALLEST_SSIM:
            return None
        return float(structural_similarity(original, decoded, channel_axis=2, data_range=255))

    return measure


def _lpips() -> Metric:
    if find_spec("lpips") is None:
        raise CodecError("LPIPS needs the package lpips: pip install 'imgcodec[eval]'.")
    try:
        net = import_module("lpips").LPIPS(net="alex", verbose=False).eval()
    except Exception as error:  # torchvision downloads its weights
        raise CodecError("LPIPS needs AlexNet's weights, which torchvision could not get.") from error

    def measure(original: RGBPixels, decoded: RGBPixels) -> float | None:
        if min(original.shape[:2]) < SMALLEST_LPIPS:
            return None
        with torch.no_grad():
            return float(net(_plus_minus_one(original), _plus_minus_one(decoded)))

    return measure


def _clip(features: str) -> Metric:
    encoder = clip_encoder(features)

    def measure(original: RGBPixels, decoded: RGBPixels) -> float:
        squares = np.stack([as_square(pixels, encoder.side) for pixels in (original, decoded)])
        one, other = encoder(torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255)
        return float(one @ other)

    return measure


def _plus_minus_one(pixels: RGBPixels) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
