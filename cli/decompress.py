"""`imgcodec decompress`: a .nic file to an image file."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.many import Asked, Making, inside, is_many, make_many, tell
from imgcodec.cli.options import (
    Device,
    Engine,
    FileModel,
    Force,
    Jobs,
    Json,
    MaxPixels,
    Recursive,
    Strip,
    detail,
    working,
)
from imgcodec.cli.parts import Region, Thumbnail, parsed_part
from imgcodec.cli.progress import sharing
from imgcodec.storage.pairs import Pair, is_nic, is_picture, picture_beside

PNG = b"\x89PNG"
SCALES = (1, 2, 4)


def decompress(
    sources: Annotated[list[str], typer.Argument(metavar="INPUT", help="A .nic file; - is stdin.", show_default=False)],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The picture to write; - is stdout, as png. Default: INPUT.png, beside the input. "
            "Of several inputs, and with -r, the folder of their pictures.",
        ),
    ] = None,
    recursive: Recursive = False,
    jobs: Jobs = 1,
    strip: Strip = False,
    force: Force = False,
    device: Device = "cpu",
    engine: Engine = "auto",
    model: FileModel = None,
    allow_damaged: Annotated[
        bool, typer.Option("--allow-damaged", help="Show what is left of a damaged file, and exit with 3.")
    ] = False,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Show a preview of a file that is cut short.")
    ] = False,
    scale: Annotated[
        int, typer.Option(metavar="1|2|4", help="Times the size, for models that can.", show_default=False)
    ] = 1,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Draw in so many steps. Default: 50; models of the profile semantic."),
    ] = None,
    eta: Annotated[float | None, typer.Option(help="0 draws without new noise, 1 with as much as DDPM.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How much more the features count than in training.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Another one draws another picture.")] = None,
    size: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Draw at this size, a multiple of 64, of the longer side.")
    ] = None,
    region: Region = None,
    thumbnail: Thumbnail = None,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
    as_json: Json = False,
) -> None:
    """Make a picture of each .nic file: png, jpg, webp, tiff or ppm by the output's suffix.

    Of several files, those whose picture is there and not older are left out.
    """
    from imgcodec.model_file.find import pinned
    from imgcodec.pictures import io
    from imgcodec.storage import files
    from imgcodec.tasks.decompress import DecompressSettings, open_decompressor, open_file

    if len(sources) == 2 and output is None and is_nic(sources[0]) and is_picture(sources[1]):
        raise UsageError(f"Decompress takes .nic files, and here is also {sources[1]}; the output is named with -o.")
    how = {"steps": steps, "eta": eta, "guidance": guidance, "seed": seed, "size": size}
    drawing: dict[str, Any] = {name: value for name, value in how.items() if value is not None}
    is_lenient = allow_damaged or allow_partial
    if is_lenient and size is not None:
        raise UsageError("What is left of a file is shown at its own size.")
    if scale not in SCALES:
        raise UsageError(f"--scale takes 1, 2 or 4, not {scale}.")
    if is_lenient and scale != 1:
        raise UsageError("What is left of a file is shown at scale 1 alone.")
    part = parsed_part(region, thumbnail)
    if part.is_part and (is_lenient or scale != 1 or drawing):
        raise UsageError("--region and --thumbnail go together with no option that changes what is decoded.")
    if model is not None and jobs > 1:
        model = pinned(model)
    settings = DecompressSettings(
        model, scale, strip, allow_damaged, allow_partial, drawing, device, engine, max_pixels, part
    )
    open_task = partial(open_decompressor, settings)
    if is_many(sources, recursive):
        asked = Asked(sources, recursive, output, force, jobs, as_json)
        make_many(asked, Making("Decompressing", picture_beside, is_nic, PNG, open_task))
        return

    source = sources[0]
    target = inside(output, source, picture_beside)
    if target is None:
        target = source if source == files.STANDARD else picture_beside(source)
    if as_json and target == files.STANDARD:
        raise UsageError("The picture and the JSON cannot both go to stdout; name a file with -o.")
    files.check_output(target, force)
    io.format_of(target)
    if files.is_same(source, target):
        raise UsageError(f"{target} is the input; name another output with -o.")
    item = Pair(source, target, replace=force)
    if part.is_part:
        with working(f"Decompressing a part of {Path(source).name}"):
            made = open_task()(item)
    else:
        opened = open_file(source, settings)  # first of all, so that a bad file fails before torch is imported
        with sharing(f"{'Drawing' if opened.is_drawn else 'Decompressing'} {Path(source).name}") as advance:
            made = open_task().decompress(opened, item, advance)
    tell(made, as_json, detail)
    if not made.is_whole:
        raise typer.Exit(InvalidFileError.exit_code)
