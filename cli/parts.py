"""A part of a picture, as `decompress` is asked for it: a region or a thumbnail."""

from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.limits import Limits
from imgcodec.cli.options import codec_for, named, working

if TYPE_CHECKING:
    from imgcodec.bitstream.header import Header
    from imgcodec.pictures.io import Picture

Region = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,W,H",
        help="Decode only this part of the picture, upright, in pixels from its top left corner. Photo models only.",
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


def decode_part(
    source: str, region: str | None, thumbnail: int | None, model: str | None, device: str, max_pixels: int
) -> tuple["Header", "Picture"]:
    """The header of a file, and a region or a thumbnail of its picture. Raises UsageError for both at once."""
    from imgcodec.profiles.decodable import header_of, region_of
    from imgcodec.storage import files

    if region is not None and thumbnail is not None:
        raise UsageError("--region is shown at its own size: there is no --thumbnail of it.")
    numbers = parse_region(region) if region is not None else None
    if thumbnail is not None and thumbnail < 1:
        raise UsageError(f"--thumbnail takes 1 pixel or more, not {thumbnail}.")
    with files.opened(source, Limits(pixels=max_pixels).file_bytes) as data, named(source, data):
        header = header_of(data)
        place = region_of(header, *numbers) if numbers else None
        with working(f"Decompressing a part of {source}"):
            from imgcodec import parts

            codec = codec_for(header, model, device)
            if place:
                return header, parts.decode_region(codec, data, place, max_pixels)
            assert thumbnail is not None
            return header, parts.decode_thumbnail(codec, data, thumbnail, max_pixels)
