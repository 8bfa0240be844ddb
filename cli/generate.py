"""`imgcodec generate`: samples from the prior of a model."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import MODEL, Device, Force, MaxPixels, Seed, say, working
from imgcodec.storage import files, folders
from imgcodec.words import counted

if TYPE_CHECKING:
    from imgcodec.pictures.modes import Pixels

GRID = "grid.png"
GAP = 4  # pixels between the pictures of a grid


def generate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.", show_default=False)],
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many pictures.")] = 16,
    size: Annotated[str, typer.Option(metavar="WxH", help="Pixels, at most 256 each way.")] = "256x256",
    temperature: Annotated[
        float, typer.Option(help="Sampling temperature: 1 samples as the prior predicts, 0 takes the likeliest tokens.")
    ] = 1.0,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help="Sample among the K likeliest values.", show_default=False),
    ] = None,
    seed: Seed = 0,
    prefix: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help="Resize this picture, keep the tokens of its upper half, and sample the rest.",
            show_default=False,
        ),
    ] = None,
    prefix_rows: Annotated[
        int | None, typer.Option(min=0, metavar="R", help="Keep R rows of its tokens instead.", show_default=False)
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help=f"Write {GRID}, too, with all of them on it.")] = False,
    force: Force = False,
    device: Device = "cpu",
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Sample pictures from the prior of a model: 0000.png, 0001.png, ..."""
    from imgcodec.pictures import io
    from imgcodec.pictures.picture import Picture

    if not 0 <= temperature < math.inf:
        raise UsageError(f"--temperature takes a number of 0 or more, not {temperature:g}.")
    if prefix_rows is not None and prefix is None:
        raise UsageError("--prefix-rows needs a --prefix.")
    start = None if prefix is None else io.load(prefix, max_pixels).pixels
    width, height = parse_pixels(size)
    if count * width * height > max_pixels:
        raise UsageError(f"{count} pictures of {width} x {height} pixels are over the limit of {max_pixels} pixels.")
    names = [f"{index:04d}.png" for index in range(count)] + ([GRID] if grid else [])
    for name in names if output.exists() else []:
        files.check_output(output / name, force)

    with working(f"Generating {counted(count, 'picture')}"):
        from imgcodec.codec import detokenize, load_codec
        from imgcodec.tokens import SamplingOptions

        codec = load_codec(model, device)
        drawn = codec.generate(
            count, (width, height), SamplingOptions(temperature, top_k or 0, seed, start, prefix_rows)
        )
        pictures = [detokenize(codec, tokens) for tokens in drawn]
    folders.make_folder(output)
    for name, pixels in zip(names, [*pictures, *([contact_sheet(pictures)] if grid else [])], strict=True):
        files.write(output / name, io.encode(Picture(pixels), "PNG")[0], force)
    say(f"{output}: {counted(count, 'picture')} of {width} x {height}")


def parse_pixels(text: str) -> tuple[int, int]:
    """Width and height, of a size like 256x192. Raises UsageError."""
    match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    if not match:
        raise UsageError(f"--size takes a width and a height like 256x192, not {text!r}.")
    return int(match[1]), int(match[2])


def contact_sheet(pictures: list["Pixels"]) -> "Pixels":
    """All pictures, of one size, on one of white, in rows as long as columns or a little longer."""
    import numpy as np

    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[:2]
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for index, pixels in enumerate(pictures):
        row, column = divmod(index, columns)
        y, x = row * (height + GAP), column * (width + GAP)
        sheet[y : y + height, x : x + width] = pixels
    return sheet
