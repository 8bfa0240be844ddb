"""The options of `compress` that name a target instead of a quality."""

import math
import re
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import UsageError

if TYPE_CHECKING:  # numpy would keep `--help` waiting
    from imgcodec.rate_control import Target

UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}

TargetSize = Annotated[
    str | None,
    typer.Option("--target-size", metavar="SIZE", help="Bytes of the file, as 40000, 40KB (1000) or 40KiB (1024)."),
]
TargetBpp = Annotated[float | None, typer.Option("--target-bpp", metavar="BPP", help="Bits per pixel of the file.")]
TargetPsnr = Annotated[float | None, typer.Option("--target-psnr", metavar="DB", help="PSNR of the picture, in dB.")]
TargetSsimulacra2 = Annotated[
    float | None, typer.Option("--target-ssimulacra2", metavar="SCORE", help="SSIMULACRA2 of the picture.")
]


def parse_size(text: str, option: str = "--target-size") -> float:
    """Bytes of a size like 40KB. Raises UsageError, which names the option."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not match or match[2] not in UNITS:
        raise UsageError(f"{option} takes a number of bytes like 40000, 40KB or 40KiB, not {text!r}.")
    return float(match[1]) * UNITS[match[2]]


def check_targets(
    quality: float | None, size: str | None, bpp: float | None, psnr: float | None, ssimulacra2: float | None
) -> None:
    """Raises UsageError for what makes no sense whatever the picture."""
    if sum(option is not None for option in (quality, size, bpp, psnr, ssimulacra2)) > 1:
        raise UsageError("Give one of a quality and the targets, not several.")
    if size is not None and not parse_size(size) >= 1:
        raise UsageError(f"--target-size takes a number of bytes like 40000, 40KB or 40KiB, not {size!r}.")
    if bpp is not None and not 0 < bpp < math.inf:
        raise UsageError(f"--target-bpp takes a number above 0, not {bpp:g}.")
    for name, value in (("psnr", psnr), ("ssimulacra2", ssimulacra2)):
        if value is not None and not math.isfinite(value):
            raise UsageError(f"--target-{name} takes a number, not {value:g}.")


def target_of(
    pixels: int, size: str | None, bpp: float | None, psnr: float | None, ssimulacra2: float | None
) -> "Target | None":
    """The one target that is asked for, or None; pixels: of the picture."""
    from imgcodec.rate_control import Kind, Target

    if size is not None:
        return Target(Kind.SIZE, parse_size(size))
    if bpp is not None:
        return Target(Kind.SIZE, max(1, bpp * pixels / 8))
    if psnr is not None:
        return Target(Kind.PSNR, psnr)
    return None if ssimulacra2 is None else Target(Kind.SSIMULACRA2, ssimulacra2)
