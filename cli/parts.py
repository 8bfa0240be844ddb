"""A part of a picture, as `decompress` is asked for it: a region or a thumbnail."""

from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import UsageError

if TYPE_CHECKING:
    from imgcodec.tasks.decompress import Part

Region = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,W,H",
        help="Decode only this part of the picture, upright, in pixels from its top left corner. Photo models and "
        "lossless files only.",
        show_default=False,
    ),
]
Thumbnail = Annotated[
    int | None,
    typer.Option(
        metavar="PIXELS",
        help="Decode a small picture, whose longer side has so many pixels, with colour profile and transparency.",
        show_default=False,
    ),
]


def parse_region(text: str) -> tuple[int, int, int, int]:
    """x, y, width and height. Raises UsageError."""
    try:
        x, y, width, height = (int(number) for number in text.split(","))
    except ValueError:
        raise UsageError(
            f"--region takes X,Y,W,H, four whole numbers like 100,200,640,480, not {text!r:.60}."
        ) from None
    return x, y, width, height


def parsed_part(region: str | None, thumbnail: int | None) -> "Part":
    """What is to be decoded. Raises UsageError for both at once, and for what is neither."""
    from imgcodec.tasks.decompress import Part

    if region is not None and thumbnail is not None:
        raise UsageError("--region is shown at its own size: there is no --thumbnail of it.")
    if thumbnail is not None and thumbnail < 1:
        raise UsageError(f"--thumbnail takes 1 pixel or more, not {thumbnail}.")
    return Part(None if region is None else parse_region(region), thumbnail)
