"""`imgcodec compress`: an image file to a .nic file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import Device, Force, MaxPixels, Output, say, working


def compress(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="An image file; - is stdin.", show_default=False)],
    output: Output = None,
    quality: Annotated[
        float, typer.Option("--quality", "-q", min=0, max=100, help="0 (small) to 100 (good); may be fractional.")
    ] = 50,
    force: Force = False,
    device: Device = "cpu",
    model: Annotated[str, typer.Option(help="Name or path of the model.")] = "photo",
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Make a .nic file of a picture, with its transparency and metadata."""
    from imgcodec import files, image

    target = output or (source if source == files.STANDARD else str(Path(source).with_suffix(".nic")))
    if as_json and target == files.STANDARD:
        raise UsageError("The file and the JSON cannot both go to stdout; name a file with -o.")
    files.check_output(target, force)
    picture = image.load(source, max_pixels)
    for note in picture.notes:
        say(f"{source}: {note}")

    with working(f"Compressing {Path(source).name}"):
        from imgcodec.codec import load_model

        codec = load_model(model, device)
        data = codec.compress_picture(picture, quality)
    files.write(target, data, force)

    bpp = 8 * len(data) / (picture.width * picture.height)
    if as_json:
        summary = {
            "input": source,
            "output": target,
            "width": picture.width,
            "height": picture.height,
            "bytes": len(data),
            "bpp": bpp,
            "quality": quality,
            "model": codec.name,
            "codebook_id": codec.id.hex(),
            "notes": picture.notes,
        }
        typer.echo(json.dumps(summary, indent=1, allow_nan=False))
    else:
        name = "stdout" if target == files.STANDARD else target
        say(f"{name}: {picture.width} x {picture.height}, {len(data)} bytes, {bpp:.3f} bpp")
