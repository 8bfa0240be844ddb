"""`imgcodec compress` for a folder: a store of .nic files and a manifest."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.cli.options import counting, say

if TYPE_CHECKING:
    from imgcodec.tasks.compress import CompressSettings


def compress_to_store(
    source: Path, output: str | None, settings: "CompressSettings", force: bool, workers: int
) -> None:
    """Makes a store of all pictures of a folder, or goes on with one. Exits with 1 if there were files that are no
    pictures."""
    from imgcodec.retrieval.store import StoreMaker, fill_store, new_store, open_maker
    from imgcodec.tasks.compress import open_compressor

    if output is None or output == "-":
        raise UsageError("A folder is compressed to another one: name it with -o.")
    compressor = open_compressor(settings)
    open_task = partial(open_maker, settings) if workers > 1 else lambda: StoreMaker(compressor)
    store, made, broken = fill_store(
        source, Path(output), new_store(compressor), open_task, force, say,
        partial(counting, f"Compressing {source.name}"), workers,
    )  # fmt: skip
    if not store.pictures:
        raise CodecError(f"There is no picture among the {len(broken)} files.")
    total = sum(entry.bytes for entry in store.pictures.values())
    told = f", {len(broken)} files skipped" if broken else ""
    say(f"{output}: {len(store.pictures)} pictures, {made} of them new, {total} bytes{told}")
    if broken:
        raise typer.Exit(CodecError.exit_code)
