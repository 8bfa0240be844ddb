"""The options of `compress` that name a target instead of a quality."""

import re
from typing import Annotated

import typer

from imgcodec.bitstream.errors import UsageError

PREFIXES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1024, "mi": 1024**2, "gi": 1024**3}

LARGEST = 2**63  # bytes

TargetSize = Annotated[
    str | None,
    typer.Option(
        "--target-size", metavar="SIZE", help="Bytes of the file, as 40000, 40K or 40KB (1000), or 40KiB (1024)."
    ),
]
TargetBpp = Annotated[float | None, typer.Option("--target-bpp", metavar="BPP", help="Bits per pixel of the file.")]
TargetPsnr = Annotated[float | None, typer.Option("--target-psnr", metavar="DB", help="PSNR of the picture, in dB.")]
TargetSsimulacra2 = Annotated[
    float | None, typer.Option("--target-ssimulacra2", metavar="SCORE", help="SSIMULACRA2 of the picture.")
]


def parse_size(text: str, option: str = "--target-size") -> float:
    """Bytes of a size like 40KB. Raises UsageError, which names the option."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?|)b?", text.strip().lower(), re.ASCII)
    if not match:
        raise UsageError(f"{option} takes a number of bytes like 40000, 40KB or 40KiB, not {text!r:.60}.")
    size = float(match[1]) * PREFIXES[match[2]]
    if size >= LARGEST:
        raise UsageError(f"{option} takes less than 2^63 bytes, not {text!r:.60}.")
    return size
