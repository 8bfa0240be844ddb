"""A quality for a wanted size or fidelity: one analysis, and a search over what follows from it.

    picture ──► analysis ──► latent ──┬──► tokens at quality q ──► bytes            size, bpp
                                      │            │
                                      └── next q ◄─┴──► synthesis ──► metric        PSNR, SSIMULACRA2

Everything measured here rises with quality, so the search keeps the nearest quality that gave too little and the
nearest that gave too much, and tries where the straight line between them meets the target. Sizes are searched by
their logarithm, which is almost straight.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.bitstream.header import QUALITY_UNIT
from imgcodec.pictures.io import Picture
from imgcodec.pictures.sections import picture_sections
from imgcodec.priors.integer.exact import exact_arithmetic

if TYPE_CHECKING:
    from imgcodec.codec import Model
    from imgcodec.tokens import Tokens

SIZE_MARGIN = 0.02
PSNR_MARGIN = 0.1
SSIMULACRA2_MARGIN = 1.0
TRIES_FOR_SIZE = 14
SYNTHESES = 6


class Kind(StrEnum):
    """What a target is about."""

    SIZE = "size"
    PSNR = "PSNR"
    SSIMULACRA2 = "SSIMULACRA2"


@dataclass(frozen=True)
class Target:
    """size: bytes of the whole file, at most the value and at most 2 % under it. PSNR: within 0.1 dB. SSIMULACRA2:
    within 1 point."""

    kind: Kind
    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or (self.kind == Kind.SIZE and self.value < 1):
            raise UsageError(f"A {self.kind} of {self.value:g} is no target.")

    def name(self, figure: float) -> str:
        """A figure of this kind in words."""
        form = {Kind.SIZE: "{:.0f} bytes", Kind.PSNR: "{:.2f} dB", Kind.SSIMULACRA2: "an SSIMULACRA2 of {:.1f}"}
        return form[self.kind].format(figure)


@dataclass(frozen=True)
class Found:
    """The file that meets a target, its quality, and the figure that was aimed at: bytes, dB or points."""

    data: bytes
    quality: float
    figure: float


def compress_to(
    model: "Model", picture: Picture, target: Target, tune: str | None = None, effort: int = 1, verify: bool = False
) -> Found:
    """The file of a picture that meets the target.

    tune, effort, verify: as in `Model.compress_picture`; the default for a wanted PSNR is that tune.

    Raises CodecError for a target that no quality reaches; the message has the nearest that one does. A picture of a
    few pixels may have no quality in between: then the nearest is given, a size always from below.
    """
    if tune is None and target.kind == Kind.PSNR:
        tune = model.tunes[0]
    model.check_effort(effort)
    with exact_arithmetic():
        analysis = list(model.codec.analyse(picture.pixels))
    extras = picture_sections(picture)
    files: dict[float, tuple[bytes, Tokens]] = {}
    fidelity = _metric(target.kind, picture)

    def measure(quality: float) -> float:
        tokens, sections = model.encode(model.header(picture, quality, tune), analysis, picture.pixels, effort)
        files[quality] = container.write(tokens.header, [*sections, *extras]), tokens
        if fidelity is None:
            return math.log(len(files[quality][0]))
        return fidelity(model.detokenize(tokens))

    try:
        quality, figure = search(measure, *_window(target))
    except OutOfReachError as error:
        nearest = target.name(math.exp(error.nearest) if fidelity is None else error.nearest)
        raise CodecError(
            f"{target.name(target.value)} is out of reach for this picture: the nearest is {nearest}."
        ) from None
    data, tokens = files[quality]
    if verify:
        model.check(data, tokens, picture)
    return Found(data, quality, len(data) if fidelity is None else figure)


def _window(target: Target) -> tuple[tuple[float, float], float, int, bool]:
    """What `search` takes besides the measure: window, slope, tries, from_below."""
    value = target.value
    if target.kind == Kind.SIZE:
        most = math.floor(value)
        window = (math.log(min(most, math.ceil(value * (1 - SIZE_MARGIN)))), math.log(most))
        return window, 0.04, TRIES_FOR_SIZE, True
    margin, slope = (PSNR_MARGIN, 0.15) if target.kind == Kind.PSNR else (SSIMULACRA2_MARGIN, 1.0)
    return (value - margin, value + margin), slope, SYNTHESES, False


def _metric(kind: Kind, picture: Picture) -> Callable[[NDArray[np.uint8]], float] | None:
    """Pixels uint8 (H, W, 3) -> how near they are to the picture; None for sizes. Raises UsageError where the picture
    is too small."""
    if kind == Kind.SIZE:
        return None
    from imgcodec.metrics import reference as metrics
    from imgcodec.metrics import ssimulacra2

    if kind == Kind.PSNR:
        return lambda decoded: metrics.psnr(picture.pixels, decoded)
    score = ssimulacra2.Ssimulacra2(picture.pixels)

    def points(decoded: NDArray[np.uint8]) -> float:
        found = score(decoded)
        if found is None:
            raise UsageError(f"A picture of {picture.width} x {picture.height} is too small for SSIMULACRA2.")
        return found

    return points


def search(
    measure: Callable[[float], float], window: tuple[float, float], slope: float, tries: int, from_below: bool
) -> tuple[float, float]:
    """A quality, a multiple of 1/256, at which `measure`, which rises with it, lies in the window; and what it was.

    slope: of `measure` by quality, a first guess. Where no quality hits the window, the nearest one, under the window's
    end if `from_below`. Raises OutOfReachError if even quality 0 is over the window, or quality 100 under it.
    """
    low, high = window
    aim, seen = (low + high) / 2, dict[float, float]()
    quality, width = 50.0, math.inf
    for _ in range(tries):
        value = seen[quality] = measure(quality)
        if low <= value <= high:
            return quality, value
        if (quality == 0 and value > high) or (quality == 100 and value < low):
            raise OutOfReachError(min(seen.values(), key=lambda found: abs(found - aim)))
        under = max((q for q, v in seen.items() if v < low), default=None)
        over = min((q for q, v in seen.items() if v > high), default=None)
        if under is not None and over is not None:
            if over - under <= 1 / QUALITY_UNIT:
                break
            slope = (seen[over] - seen[under]) / (over - under)
            # a line that did not halve the bracket last time is no good guide to a curve that bends or leaps
            straight = over - under <= width / 2
            quality = _stored(under + (aim - seen[under]) / slope if straight else (under + over) / 2)
            quality = min(max(quality, under + 1 / QUALITY_UNIT), over - 1 / QUALITY_UNIT)
            width = over - under
        elif len(seen) == 1:  # a little further than the slope says, so that the target is between
            quality = _stored(min(max(quality + 1.1 * (aim - value) / slope, 0), 100))
        else:
            quality = 100 if over is None else 0
    candidates = {q: v for q, v in seen.items() if v <= high or not from_below}
    if not candidates:  # the search went down to within a step of quality 0, and it was still too much
        raise OutOfReachError(min(seen.values()))
    nearest = min(candidates, key=lambda q: (abs(candidates[q] - aim), -q))
    return nearest, candidates[nearest]


def _stored(quality: float) -> float:
    """The nearest quality that a header can say."""
    return round(quality * QUALITY_UNIT) / QUALITY_UNIT


class OutOfReachError(CodecError):
    """No quality gives the target; `nearest` is the nearest that was seen."""

    def __init__(self, nearest: float) -> None:
        super().__init__(f"The target is out of reach: the nearest is {nearest:g}.")
        self.nearest = nearest
