"""`imgcodec compress` for a folder: a store of .nic files and a manifest."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.cli.options import counting, say

if TYPE_CHECKING:
    from imgcodec.pictures.io import Picture
    from imgcodec.profiles.semantic.codec import SemanticCodec
    from imgcodec.tokens import TokenCodec


def compress_folder(
    source: Path,
    output: str | None,
    codec: "TokenCodec",
    searcher: "SemanticCodec | None",
    load: Callable[[Path], "Picture"],
    encode: Callable[["Picture"], bytes],
    settings: dict[str, Any],
    force: bool,
) -> None:
    """Makes a store of all pictures of a folder, or goes on with one.

    searcher: the codec of the features that its files have; None where they have none. load: reads a picture and
    makes it ready. Exits with 1 if there were files that are no pictures.
    """
    from imgcodec.bitstream import container
    from imgcodec.retrieval.store import Made, Store, fill_store

    if output is None or output == "-":
        raise UsageError("A folder is compressed to another one: name it with -o.")

    def make(path: Path) -> Made:
        picture = load(path)
        data = encode(picture)
        digest = None
        if searcher is not None:
            levels = searcher.read_features(container.read(data))
            digest = hashlib.sha256(levels.astype("<i2").tobytes()).hexdigest()
        return Made(data, picture.width, picture.height, digest)

    empty = Store(codec.name, codec.id.hex(), None if searcher is None else searcher.id.hex(), settings)
    store, made, broken = fill_store(
        source, Path(output), empty, make, force, say, partial(counting, f"Compressing {source.name}")
    )
    if not store.pictures:
        raise CodecError(f"There is no picture among the {len(broken)} files.")
    total = sum(entry.bytes for entry in store.pictures.values())
    told = f", {len(broken)} files skipped" if broken else ""
    say(f"{output}: {len(store.pictures)} pictures, {made} of them new, {total} bytes{told}")
    if broken:
        raise typer.Exit(CodecError.exit_code)
