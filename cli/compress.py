"""`imgcodec compress`: an image file to a .nic file."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import Device, Effort, Force, MaxPixels, Quality, Strip, Tune, nic_beside, say, working
from imgcodec.cli.targets import TargetBpp, TargetPsnr, TargetSize, TargetSsimulacra2, parse_size

BPP_OF_TEXT = (
    2  # in fewer bits hardly any picture has a smaller PNG, and photographs have more at the best qualities only
)
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}")  # not what a date has behind its point


def compress(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="An image file; - is stdin.", show_default=False)],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The .nic file to write; - is stdout. Default: beside the input. Another suffix needs -f.",
        ),
    ] = None,
    quality: Quality = None,
    tune: Tune = None,
    effort: Effort = 1,
    target_size: TargetSize = None,
    target_bpp: TargetBpp = None,
    target_psnr: TargetPsnr = None,
    target_ssimulacra2: TargetSsimulacra2 = None,
    strip: Strip = False,
    force: Force = False,
    device: Device = "cpu",
    model: Annotated[str, typer.Option(help="Name or path of the model.")] = "photo",
    verify: Annotated[
        bool, typer.Option("--verify", help="Decode the file before it is put in place, and compare.")
    ] = False,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Make a .nic file of a picture, with its transparency and metadata."""
    from imgcodec.pictures import io, sections
    from imgcodec.rate_control import target_of
    from imgcodec.storage import files

    if output is None:
        output = source if source == files.STANDARD else nic_beside(source)
    elif not force and SUFFIX.fullmatch(Path(output).suffix) and Path(output).suffix.lower() != ".nic":
        raise UsageError(f"{output} would be a .nic file by another suffix: name it .nic, or insist with -f.")
    name = output
    if as_json and name == files.STANDARD:
        raise UsageError("The file and the JSON cannot both go to stdout; name a file with -o.")
    size = None if target_size is None else parse_size(target_size)
    target = target_of(quality, size, target_bpp, target_psnr, target_ssimulacra2)
    files.check_output(name, force)
    if files.is_same(source, name):
        raise UsageError(f"{name} is the input; name another output with -o.")
    picture = io.load(source, max_pixels)
    for note in picture.notes:
        say(f"{source}: {note}.")
    if strip:
        picture = sections.strip(picture)

    with working(f"Compressing {Path(source).name}"):
        from imgcodec.codec import encode_picture, load_codec

        codec = load_codec(model, device)
        result = encode_picture(codec, picture, quality, target, tune, effort, verify)
    files.write(name, result.data, force)

    count = len(result.data)
    bpp = 8 * count / (picture.width * picture.height)
    if picture.file_bytes is not None and count > picture.file_bytes:
        say(f"{source}: the result is larger than the input, which has {picture.file_bytes} bytes.")
    elif bpp > BPP_OF_TEXT and count > (of_png := io.png_bytes(picture)):
        say(f"{source}: a PNG of it loses nothing and is smaller, {of_png} bytes.")
    if as_json:
        summary = {
            "input": source,
            "output": name,
            "input_bytes": picture.file_bytes,
            "width": picture.width,
            "height": picture.height,
            "bytes": count,
            "bpp": bpp,
            "quality": result.quality,
            "tune": result.header.tune.name.lower(),
            "model": codec.name,
            "codebook_id": codec.id.hex(),
            "notes": list(result.notes),
        }
        typer.echo(json.dumps(summary, indent=1, allow_nan=False))
    else:
        reached = f", quality {result.quality:g}" if target else ""
        if target and target.metric in ("psnr", "ssimulacra2") and result.reached is not None:
            reached += f", {target.text(result.reached)}"
        shown = "stdout" if name == files.STANDARD else name
        say(f"{shown}: {picture.width} x {picture.height}, {count} bytes, {bpp:.3f} bpp{reached}")
