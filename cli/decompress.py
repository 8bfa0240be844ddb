"""`imgcodec decompress`: a .nic file to an image file."""

from pathlib import Path
from typing import Annotated

import typer

from imgcodec.cli.options import Device, FileModel, Force, Output, Strip, model_for, say, working


def decompress(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A .nic file; - is stdin.", show_default=False)],
    output: Output = None,
    strip: Strip = False,
    force: Force = False,
    device: Device = "cpu",
    model: FileModel = None,
) -> None:
    """Make a picture of a .nic file: png, jpg, webp, tiff or ppm by the output's suffix, png without one."""
    from imgcodec import files, image
    from imgcodec.bitstream import container

    target = output or (source if source == files.STANDARD else str(Path(source).with_suffix(".png")))
    format = image.format_of(target)
    files.check_output(target, force)
    data = files.read(source)
    header = container.read(data).header  # so that a bad file fails before torch is imported

    with working(f"Decompressing {Path(source).name}"):
        picture = model_for(header, model, device).decompress_picture(data)
        encoded, notes = image.encode(image.strip(picture) if strip else picture, format)
    files.write(target, encoded, force)
    for note in notes:
        say(f"{target}: {note}")
