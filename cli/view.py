"""`imgcodec view`: a .nic file in the browser."""

import os
import sys
import time
import webbrowser
from contextlib import suppress
from pathlib import PurePath
from typing import Annotated

import typer

from imgcodec.bitstream.errors import CodecError
from imgcodec.cli.options import FileModel, say

MAX_PIXELS = 2**26  # what the page takes, see viewer/src/format/limits.ts


def view(
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A .nic file; - is stdin. Without one, the page asks for it.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port of the page. Default: any free one.")
    ] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    model: FileModel = None,
) -> None:
    """Show a picture in the browser, which decodes it: on this machine alone, until it is interrupted (Ctrl-C).

    The address of the page is printed on stdout. Pictures of the profiles photo and exact are shown.
    """
    from imgcodec.viewing import served

    picture = None if source is None else (named(source), checked(source, model))
    with served(picture, port, model) as address:
        typer.echo(address)
        sys.stdout.flush()
        if browser and not opened(address):
            say("There is no browser here to open: the page is at that address.")
        wait()


def wait() -> None:
    """Until an interrupt, which is the way to end it."""
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def named(source: str) -> str:
    """The name under which the page shows a file."""
    return "stdin.nic" if source == "-" else PurePath(source).name


def checked(source: str, model: str | None) -> bytes:
    """The bytes of a file that the page can show. Raises InvalidFileError for a damaged one, ModelNotFoundError where
    its model is not there, CodecError where it is of a profile that the page does not show."""
    from imgcodec.bitstream import container
    from imgcodec.bitstream.header import Profile
    from imgcodec.bitstream.limits import Limits
    from imgcodec.model_file.find import find_model_by_id
    from imgcodec.storage import files
    from imgcodec.tasks import reading

    limits = Limits(pixels=MAX_PIXELS)
    data = files.read(source, limits.file_bytes)
    with reading.named(files.name_of(source), data):
        header = container.read(data, limits).header
    if header.profile not in (Profile.PHOTO, Profile.EXACT):
        raise CodecError(
            "The page shows pictures of the profiles photo and exact, and this one is of "
            f"{header.profile.name.lower()}: imgcodec decompress makes a PNG of it."
        )
    if model is None and header.profile == Profile.PHOTO:
        find_model_by_id(header.codebook_id)
    return data


def opened(address: str) -> bool:
    """Whether a browser with a window was opened. One in the terminal would be in the way."""
    has_windows = sys.platform in ("win32", "darwin") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return has_windows and webbrowser.open(address)
