"""`imgcodec decompress`: a .nic file to an image file."""

from pathlib import Path
from typing import Annotated

import typer

from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.cli.options import Device, FileModel, Force, MaxPixels, Output, model_for, say, working


def decompress(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A .nic file; - is stdin.", show_default=False)],
    output: Output = None,
    force: Force = False,
    device: Device = "cpu",
    model: FileModel = None,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Make a picture of a .nic file: png, jpg, webp, tiff or ppm by the output's suffix, png without one."""
    from imgcodec import files, image
    from imgcodec.bitstream.decodable import read_decodable

    target = output or (source if source == files.STANDARD else str(Path(source).with_suffix(".png")))
    format = image.format_of(target)
    files.check_output(target, force)
    data = files.read(source, Limits(pixels=max_pixels).file_bytes)
    header = read_decodable(data, max_pixels).header  # so that a bad file fails before torch is imported

    with working(f"Decompressing {Path(source).name}"):
        picture = model_for(header, model, device).decompress_picture(data, max_pixels=max_pixels)
        encoded, notes = image.encode(picture, format)
    files.write(target, encoded, force)
    for note in notes:
        say(f"{target}: {note}")
