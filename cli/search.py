"""`imgcodec search`: the pictures of a store, or of any folder of .nic files with features, that are most like one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import SIGNATURE
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import Device, Features, MaxPixels, printable, say, working

if TYPE_CHECKING:
    from imgcodec.profiles.semantic.codec import SemanticCodec, Vectors


def search(
    store: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A store, or any folder of .nic files.", show_default=False)
    ],
    query: Annotated[
        str | None, typer.Argument(metavar="PICTURE", help="A picture or a .nic file; - is stdin.", show_default=False)
    ] = None,
    text: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Look for this, where features are CLIP's.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option("--count", "-k", min=1, max=100_000, help="How many to name.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list as JSON.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name or path of the model of the features, or hf://owner/name. Default: the one that they name."
        ),
    ] = None,
    features: Features = None,
    device: Device = "cpu",
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Name the pictures that are most like another one, or a text, with the cosines of their features."""
    if (query is None) == (text is None):
        raise UsageError("A search takes either a picture or --text.")

    from imgcodec.retrieval.index import find_features_id, read_index
    from imgcodec.storage.folders import require_folder

    require_folder(store)
    with working(f"Searching {store.name}"):
        from imgcodec.codec import load_codec
        from imgcodec.model_file.find import find_model_by_id
        from imgcodec.profiles.semantic.codec import as_semantic, with_features

        named = model or find_model_by_id(find_features_id(store, say), f"The features in {store} were")
        codec = with_features(as_semantic(load_codec(named, device), "A search"), features)
        index = read_index(codec, store, say)
        vector = text_vector(codec, text) if text is not None else query_vector(codec, str(query), max_pixels)
        found = index.nearest(codec.search_vectors(vector)[0], count)
    if as_json:
        typer.echo(json.dumps([{"name": name, "cosine": cosine} for name, cosine in found], indent=1))
    else:
        typer.echo("\n".join(f"{cosine:7.4f}  {printable(name)}" for name, cosine in found))


def query_vector(codec: "SemanticCodec", query: str, max_pixels: int) -> "Vectors":
    """The vector (1, dim) of a picture, or of a .nic file, whose own one is read."""
    from imgcodec.bitstream.limits import Limits
    from imgcodec.pictures import io
    from imgcodec.profiles.decodable import read_decodable
    from imgcodec.storage import files

    data = files.read(query, max(Limits(pixels=max_pixels).file_bytes, 8 * max_pixels))
    if data.startswith(SIGNATURE[:4]):
        return codec.vectors(codec.read_features(read_decodable(data, max_pixels))[None])
    return codec.features([io.load(data, max_pixels).pixels])


def text_vector(codec: "SemanticCodec", text: str) -> "Vectors":
    """The vector (1, dim) of a description. Raises UsageError for features that know no words."""
    from imgcodec.tokenizers.clip import ClipEncoder

    encoder = codec.tokenizer.encoder
    if not isinstance(encoder, ClipEncoder):
        raise UsageError(f"--text takes a store of CLIP features, and those of {codec.name} know no words.")
    return encoder.text(text).cpu().numpy()
