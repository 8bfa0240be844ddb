"""`imgcodec compress`: an image file to a .nic file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.cli.options import Device, Effort, Force, MaxPixels, Output, Quality, Strip, Tune, say, working
from imgcodec.cli.targets import TargetBpp, TargetPsnr, TargetSize, TargetSsimulacra2, check_targets, target_of


def compress(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="An image file; - is stdin.", show_default=False)],
    output: Output = None,
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
    from imgcodec.bitstream import container
    from imgcodec.bitstream.header import QUALITY_UNIT
    from imgcodec.pictures import io as image
    from imgcodec.pictures import sections
    from imgcodec.storage import files

    target = output or (source if source == files.STANDARD else str(Path(source).with_suffix(".nic")))
    if as_json and target == files.STANDARD:
        raise UsageError("The file and the JSON cannot both go to stdout; name a file with -o.")
    check_targets(quality, target_size, target_bpp, target_psnr, target_ssimulacra2)
    files.check_output(target, force)
    if files.is_same(source, target):
        raise UsageError(f"{target} is the input; name another output with -o.")
    picture = image.load(source, max_pixels)
    for note in picture.notes:
        say(f"{source}: {note}")
    pixels = picture.width * picture.height
    wanted = target_of(pixels, target_size, target_bpp, target_psnr, target_ssimulacra2)
    if strip:
        picture = sections.strip(picture)

    with working(f"Compressing {Path(source).name}"):
        from imgcodec.codec import load_model
        from imgcodec.rate_control import Kind, compress_to

        codec = load_model(model, device)
        if wanted:
            found = compress_to(codec, picture, wanted, tune, effort, verify)
            data = found.data
        else:
            data = codec.compress_picture(picture, quality, tune, effort, verify)
    header = container.read(data, Limits(pixels=max(max_pixels, pixels))).header
    quality = header.quality / QUALITY_UNIT if codec.has_qualities else None
    files.write(target, data, force)

    if picture.file_bytes is not None and len(data) > picture.file_bytes:
        say(f"{source}: the result is larger than the input, which has {picture.file_bytes} bytes")
    bpp = 8 * len(data) / pixels
    if as_json:
        summary = {
            "input": source,
            "output": target,
            "input_bytes": picture.file_bytes,
            "width": picture.width,
            "height": picture.height,
            "bytes": len(data),
            "bpp": bpp,
            "quality": quality,
            "tune": header.tune.name.lower(),
            "model": codec.name,
            "codebook_id": codec.id.hex(),
            "notes": picture.notes,
        }
        typer.echo(json.dumps(summary, indent=1, allow_nan=False))
    else:
        reached = f", quality {quality:g}" if wanted else ""
        if wanted and wanted.kind != Kind.SIZE:
            reached += f", {wanted.name(found.figure)}"
        name = "stdout" if target == files.STANDARD else target
        say(f"{name}: {picture.width} x {picture.height}, {len(data)} bytes, {bpp:.3f} bpp" + reached)
