"""`imgcodec data`: photographs to train on, from the net and from folders."""

from pathlib import Path
from typing import Annotated

import typer

from imgcodec.cli.options import Force, Seed, Split, counting, say
from imgcodec.cli.targets import parse_size
from imgcodec.words import counted

PICSUM = "https://picsum.photos"


def picsum(
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder that they go to.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    size: Annotated[int, typer.Option(min=8, max=5000, help="Pixels, in width and height.")] = 256,
    seed: Seed = 0,
    url: Annotated[str, typer.Option(metavar="BASE", help="Another server that answers as this one does.")] = PICSUM,
) -> None:
    """Download sample photographs (Unsplash licence) from picsum.photos.

    Authors are in manifest.jsonl. Pictures that are there already are kept: run it again after a failure.
    """
    from imgcodec.training.picsum import download

    with counting("Downloading", count) as advance:
        fetched = download(output, count, size, seed, url, say, advance)
    say(f"{output}: {counted(count, 'picture')}, {fetched} of them fetched now")


def pack(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Folders of pictures.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the shards.", show_default=False)],
    shard_size: Annotated[str, typer.Option(metavar="SIZE", help="The most bytes of a shard.")] = "256MB",
    split: Split = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Make tar shards of folders of pictures, with a manifest, for `imgcodec train` or webdataset.

    Files that are not whole pictures are skipped, and named.
    """
    from imgcodec.storage import folders as reading

    shard_bytes = int(parse_size(shard_size, "--shard-size"))
    shares = None if split is None else reading.parse_split(split)

    from imgcodec.training import shards

    reading.check_folder(output, force, shards.OUTPUT)
    sources = reading.files_below_all(folders, say)
    with counting("Packing", len(sources)) as advance:
        done = shards.pack_pictures(sources, output, shard_bytes, shares, seed, force, say, advance)
    counts = ", ".join(f"{count} {name}" for name, count in done.pictures.items())
    skipped = f", {counted(done.skipped, 'file')} skipped" if done.skipped else ""
    say(f"{output}: {counts} in {counted(len(done.shards), 'shard')} of {sum(done.shards.values())} bytes{skipped}")
