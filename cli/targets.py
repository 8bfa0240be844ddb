"""The options of `compress` that name a target instead of a quality."""

import re
from typing import Annotated

import typer

from imgcodec.bitstream.errors import UsageError

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
