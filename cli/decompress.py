"""`imgcodec decompress`: a .nic file to an image file."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.cli.options import (
    Device,
    FileModel,
    Force,
    MaxPixels,
    Strip,
    codec_for,
    counting,
    picture_beside,
    read_nic,
    say,
    working,
)
from imgcodec.cli.parts import Region, Thumbnail, decode_part

if TYPE_CHECKING:
    from imgcodec.bitstream.header import Header

SCALES = (1, 2, 4)


def decompress(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A .nic file; - is stdin.", show_default=False)],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="The picture to write; - is stdout, as png. Default: INPUT.png, beside the input."
        ),
    ] = None,
    strip: Strip = False,
    force: Force = False,
    device: Device = "cpu",
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
) -> None:
    """Make a picture of a .nic file: png, jpg, webp, tiff or ppm by the output's suffix."""
    from imgcodec.pictures import io, sections
    from imgcodec.profiles.decodable import read_decodable, salvage_decodable
    from imgcodec.profiles.semantic.drawing import Drawing, at_size
    from imgcodec.storage import files

    lenient = allow_damaged or allow_partial
    how = {"steps": steps, "eta": eta, "guidance": guidance, "seed": seed, "size": size}
    asked: dict[str, Any] = {name: value for name, value in how.items() if value is not None}
    if lenient and size is not None:
        raise UsageError("What is left of a file is shown at its own size.")
    if scale not in SCALES:
        raise UsageError(f"--scale takes 1, 2 or 4, not {scale}.")
    if lenient and scale != 1:
        raise UsageError("What is left of a file is shown at scale 1 alone.")
    is_part = region is not None or thumbnail is not None
    if is_part and (lenient or scale != 1 or asked):
        raise UsageError("--region and --thumbnail go together with no option that changes what is decoded.")
    target = output
    if target is None:
        target = source if source == files.STANDARD else picture_beside(source)
    files.check_output(target, force)
    format = io.format_of(target)
    if files.is_same(source, target):
        raise UsageError(f"{target} is the input; name another output with -o.")
    if is_part:
        header, picture = decode_part(source, region, thumbnail, model, device, max_pixels)
        encoded, notes = io.encode(sections.strip(picture) if strip else picture, format)
        finish(source, target, encoded, force, header, notes)
        return
    limits = Limits(pixels=max_pixels)
    # first of all, so that a bad file fails before torch is imported
    salvage = read_nic(source, limits, lambda data: salvage_decodable(data, max_pixels)) if lenient else None
    file = salvage.file if salvage else read_nic(source, limits, lambda data: read_decodable(data, max_pixels))

    is_drawn = file.header.profile == Profile.SEMANTIC
    if asked and not is_drawn:
        raise UsageError(f"--{next(iter(asked))} is for files of the profile semantic, whose pictures are drawn.")
    drawing = Drawing(**asked)
    if drawing.size is not None:
        file = at_size(file, drawing.size)
    name = Path(source).name
    progress: AbstractContextManager[Callable[[], None] | None]
    progress = counting(f"Drawing {name}", drawing.steps) if is_drawn else working(f"Decompressing {name}")
    with progress as advance:
        from imgcodec.codec import decode_picture, recover_picture

        codec = codec_for(file.header, model, device)
        if advance is not None:
            from imgcodec.profiles.semantic.codec import with_drawing

            codec = with_drawing(codec, replace(drawing, progress=advance))
        found = recover_picture(codec, salvage) if salvage else None
        if found and found.is_damaged and not allow_damaged:
            raise InvalidFileError("The file is damaged, not only cut short; --allow-damaged shows what is left of it.")
        picture = found.picture if found else decode_picture(codec, file, scale, max_pixels)
        encoded, notes = io.encode(sections.strip(picture) if strip else picture, format)
    finish(source, target, encoded, force, file.header, notes, found.notes if found else [])
    if found and (found.is_damaged or (found.is_cut and not allow_partial)):
        raise typer.Exit(InvalidFileError.exit_code)


def finish(
    source: str,
    target: str,
    encoded: bytes,
    force: bool,
    header: "Header",
    notes: Iterable[str],
    losses: Iterable[str] = (),
) -> None:
    """Writes a picture, and says what has to be known of it. losses: of the file; notes: of the picture's format."""
    from imgcodec.profiles import PROFILES
    from imgcodec.storage import files

    files.write(target, encoded, force)
    if note := PROFILES[header.profile].note:
        say(f"{source}: {note}.")
    for note in losses:
        say(f"{source}: {note}.")
    for note in notes:
        say(f"{target}: {note}.")
