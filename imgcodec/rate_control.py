"""A quality for a wanted size or fidelity: a search over what files of one picture have.

    quality q ──► a file, and what it decodes to ──► bytes            size, bpp
        ▲                                        └─► metric           PSNR, SSIMULACRA2
        └───────── next q ◄─────── search ◄────────┘

Everything measured here rises with quality, so the search keeps the nearest quality that gave too little and the
nearest that gave too much, and tries where the straight line between them meets the target. Sizes are searched by
their logarithm, which is almost straight.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.bitstream.header import QUALITY_UNIT

SIZE_MARGIN = 0.02
PSNR_MARGIN = 0.1
SSIMULACRA2_MARGIN = 1.0
BEST_SSIMULACRA2 = 100  # of a picture and itself
TRIES_FOR_SIZE = 14
SYNTHESES = 6
FIRST_QUALITY = 50.0


Metric = Literal["size", "bpp", "psnr", "ssimulacra2"]
Side = Literal["below", "above"]


@dataclass(frozen=True)
class RateTarget:
    """What a file is to reach. Make one with `target_of`.

    size: bytes of the whole file, at most the value and at most 2 % under it; bpp: the same in bits per pixel. psnr:
    at least the value, and at most 0.1 dB over it. ssimulacra2: at least the value, and at most 1 point over it. Where
    a part of the picture or all of it is exact, a file may be smaller or nearer than that.
    """

    metric: Metric
    value: float

    @property
    def limits_size(self) -> bool:
        """Whether it is one of size."""
        return self.metric in ("size", "bpp")

    def allows(self, size: int, pixels: int) -> bool:
        """Whether a file of so many bytes, of a picture of so many pixels, is not too large."""
        if self.metric == "bpp":
            return 8 * size <= self.value * pixels
        return self.metric != "size" or size <= self.value

    def text(self, figure: float) -> str:
        """A figure of this metric in words."""
        forms = {
            "size": "{:.0f} bytes", "bpp": "{:.3f} bits per pixel", "psnr": "{:.2f} dB",
            "ssimulacra2": "an SSIMULACRA2 of {:.1f}",
        }  # fmt: skip
        return forms[self.metric].format(figure)


def target_of(
    quality: float | None,
    size: float | None,
    bpp: float | None,
    psnr: float | None,
    ssimulacra2: float | None,
    lossless: bool = False,
) -> RateTarget | None:
    """The one target that is asked for, or None. Raises UsageError for several, also beside a quality, for any of
    these beside lossless, and for what no file can have."""
    wanted: dict[Metric, float | None] = {"size": size, "bpp": bpp, "psnr": psnr, "ssimulacra2": ssimulacra2}
    targets = [RateTarget(metric, value) for metric, value in wanted.items() if value is not None]
    if len(targets) + (quality is not None) > 1:
        raise UsageError("Give one of a quality and the targets, not several.")
    if lossless and (targets or quality is not None):
        raise UsageError("A lossless file has no quality and no target.")
    for target in targets:
        if not math.isfinite(target.value):
            raise UsageError(f"A target is a number, not {target.value:g}.")
        if (target.metric == "size" and target.value < 1) or (target.metric == "bpp" and target.value <= 0):
            raise UsageError(f"There is no file of {target.text(target.value)}.")
        if target.metric == "ssimulacra2" and target.value > BEST_SSIMULACRA2:
            raise UsageError(f"An SSIMULACRA2 of {BEST_SSIMULACRA2} is the most there is, that of equal pictures.")
    return targets[0] if targets else None


def find_quality(
    target: RateTarget, pixels: int, measure: Callable[[float], float], first: float = FIRST_QUALITY
) -> float:
    """The quality whose file meets the target.

    pixels: of the picture. measure: quality -> bytes of its file, or how near what it decodes to is to the picture.
    first: the quality that is tried first.

    Raises OutOfReachError for a target that no quality reaches; the message has the nearest that one does. A picture of
    a few pixels may have no quality in between: then the nearest is given, a size from below and a fidelity from above.
    """
    asked = target
    if target.metric == "bpp":
        target = RateTarget("size", min(max(1, target.value * pixels / 8), 2.0**63))
    of_size = target.metric == "size"
    try:
        return search(
            lambda quality: math.log(measure(quality)) if of_size else measure(quality), *_window(target), first
        )[0]
    except OutOfReachError as error:
        nearest_figure = math.exp(error.nearest) if of_size else error.nearest
        if asked.metric == "bpp":
            nearest_figure *= 8 / pixels
        wanted, nearest = asked.text(asked.value), asked.text(nearest_figure)
        message = f"{wanted[0].upper()}{wanted[1:]} is out of reach for this picture: the nearest is {nearest}."
        raise OutOfReachError(nearest_figure, message) from None


def _window(target: RateTarget) -> tuple[tuple[float, float], float, int, Side]:
    """What `search` takes besides the measure: window, slope, tries, side."""
    value = target.value
    if target.metric == "size":
        most = math.floor(value)
        window = (math.log(min(most, math.ceil(value * (1 - SIZE_MARGIN)))), math.log(most))
        return window, 0.04, TRIES_FOR_SIZE, "below"
    margin, slope = (PSNR_MARGIN, 0.15) if target.metric == "psnr" else (SSIMULACRA2_MARGIN, 1.0)
    return (value, value + margin), slope, SYNTHESES, "above"


def fidelity(target: RateTarget, pixels: NDArray[np.uint8]) -> Callable[[NDArray[np.uint8]], float]:
    """Decoded pixels uint8 (H, W, 3) -> how near they are to `pixels`, in the target's metric. What it gives raises
    UsageError where the picture is too small for that."""
    from imgcodec.metrics import reference, ssimulacra2

    if target.metric == "psnr":
        return lambda decoded: reference.psnr(pixels, decoded)
    score = ssimulacra2.Ssimulacra2(pixels)

    def points(decoded: NDArray[np.uint8]) -> float:
        found = score(decoded)
        if found is None:
            height, width = pixels.shape[:2]
            raise UsageError(f"A picture of {width} x {height} is too small for SSIMULACRA2.")
        return found

    return points


def search(
    measure: Callable[[float], float],
    window: tuple[float, float],
    slope: float,
    tries: int,
    side: Side,
    first: float = FIRST_QUALITY,
) -> tuple[float, float]:
    """A quality, a multiple of 1/256, at which `measure`, which rises with it, lies in the window; and what it was.

    slope: of `measure` by quality, a first guess. first: the quality that is tried first. Where no quality of so many
    tries hits the window, the nearest one, on this side of it: below its upper end or above its lower one. Raises
    OutOfReachError if even quality 0 is over the window, or quality 100 under it.
    """
    low, high = window
    aim, seen = (low + high) / 2, dict[float, float]()
    quality, stayed, halvings = first, math.nan, 0
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
            # an end that stays while the other one moves counts half each time, so that both move (Illinois method)
            stays = over if quality == under else under
            halvings, stayed = (halvings + 1 if stays == stayed else 0), stays
            below, above = aim - seen[under], seen[over] - aim
            below, above = (below / 2**halvings, above) if stays == under else (below, above / 2**halvings)
            quality = _stored(under + (over - under) * below / (below + above))
            quality = min(max(quality, under + 1 / QUALITY_UNIT), over - 1 / QUALITY_UNIT)
        elif len(seen) <= 2:  # further than the slope says, so that the target is between
            further = 1.1 if len(seen) == 1 else 2.0
            if len(seen) == 2:
                (q, v), (other, w) = seen.items()
                slope = max((v - w) / (q - other), 1e-9)
            quality = _stored(min(max(quality + further * (aim - value) / slope, 0), 100))
        else:
            quality = 100 if over is None else 0
    candidates = {q: v for q, v in seen.items() if (v <= high if side == "below" else v >= low)}
    if not candidates:  # the search went to within a step of an end, and it was still too much or too little
        raise OutOfReachError(min(seen.values()) if side == "below" else max(seen.values()))
    nearest = min(candidates, key=lambda q: (abs(candidates[q] - aim), -q if side == "below" else q))
    return nearest, candidates[nearest]


def _stored(quality: float) -> float:
    """The nearest quality that a header can say."""
    return round(quality * QUALITY_UNIT) / QUALITY_UNIT


class OutOfReachError(CodecError):
    """No quality gives the target; `nearest` is the nearest figure that was seen, in the unit of the target."""

    def __init__(self, nearest: float, message: str | None = None) -> None:
        # both, for an exception is sent to another process as what it was made of
        super().__init__(nearest, message or f"The target is out of reach: the nearest is {nearest:g}.")
        self.nearest = nearest

    def __str__(self) -> str:
        return str(self.args[1])
