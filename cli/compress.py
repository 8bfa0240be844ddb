"""`imgcodec compress`: an image file to a .nic file."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import (
    Device,
    Effort,
    Features,
    Force,
    MaxPixels,
    Quality,
    Strip,
    Tune,
    nic_beside,
    say,
    working,
)
from imgcodec.cli.targets import TargetBpp, TargetPsnr, TargetSize, TargetSsimulacra2, parse_size

if TYPE_CHECKING:
    from imgcodec.pictures.io import Picture
    from imgcodec.profiles.semantic.codec import SemanticCodec
    from imgcodec.tokens import TokenCodec

BPP_OF_TEXT = (
    2  # in fewer bits hardly any picture has a smaller PNG, and photographs have more at the best qualities only
)
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}")  # not what a date has behind its point


def compress(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="An image file, or a folder of them; - is stdin.", show_default=False)
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The .nic file or store to write; - is stdout. Default: beside the input. Another suffix needs -f.",
        ),
    ] = None,
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
    with_features: Annotated[
        bool, typer.Option("--with-features", help="Put in what the picture shows, some hundred bytes, for `search`.")
    ] = False,
    features_model: Annotated[str, typer.Option(metavar="MODEL", help="Whose features these are.")] = "semantic",
    features: Features = None,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Make a .nic file of a picture, with its transparency and metadata; of a folder, a store of .nic files.

    A store has a manifest, and is filled on where it was stopped. Files that are no pictures are named and skipped.
    """
    from imgcodec.pictures import io
    from imgcodec.rate_control import target_of
    from imgcodec.storage import files

    if source and Path(source).is_dir():
        if as_json:
            raise UsageError("The JSON of a folder is the manifest of its store.")
        size = None if target_size is None else parse_size(target_size)
        target = target_of(quality, size, target_bpp, target_psnr, target_ssimulacra2)
        codec, searcher = load_codecs(model, with_features, features_model, features, device)

        def ready(path: Path) -> io.Picture:
            return prepared(io.load(path, max_pixels), str(path), strip, searcher if with_features else None)

        def encoded(picture: io.Picture) -> bytes:
            return encode_picture(codec, picture, quality, target, tune, effort, verify).data

        from imgcodec.cli.store import compress_folder
        from imgcodec.codec import encode_picture

        settings = {"quality": quality, "target": target and [target.metric, target.value], "tune": tune}
        settings |= {"effort": effort, "strip": strip}
        compress_folder(Path(source), output, codec, searcher, ready, encoded, settings, force)
        return
    if output is None:
        output = source if source == files.STANDARD else nic_beside(source)
    elif not force and SUFFIX.fullmatch(Path(output).suffix) and Path(output).suffix.lower() != ".nic":
        raise UsageError(f"{output} would be a .nic file by another suffix: name it .nic, or insist with -f.")
    name = output
    if as_json and name == files.STANDARD:
        raise UsageError("The file and the JSON cannot both go to stdout; name a file with -o.")
    size = None if target_size is None else parse_size(target_size)
    target = target_of(quality, size, target_bpp, target_psnr, target_ssimulacra2)
    files.check_output(name, force)
    if files.is_same(source, name):
        raise UsageError(f"{name} is the input; name another output with -o.")
    picture = io.load(source, max_pixels)

    with working(f"Compressing {Path(source).name}"):
        from imgcodec.codec import encode_picture

        codec, searcher = load_codecs(model, with_features, features_model, features, device)
        picture = prepared(picture, source, strip, searcher if with_features else None)
        result = encode_picture(codec, picture, quality, target, tune, effort, verify)
    files.write(name, result.data, force)

    count = len(result.data)
    bpp = 8 * count / (picture.width * picture.height)
    if picture.file_bytes is not None and count > picture.file_bytes:
        say(f"{source}: the result is larger than the input, which has {picture.file_bytes} bytes.")
    elif bpp > BPP_OF_TEXT and count > (of_png := io.png_bytes(picture)):
        say(f"{source}: a PNG of it loses nothing and is smaller, {of_png} bytes.")
    if as_json:
        summary = {
            "input": source,
            "output": name,
            "input_bytes": picture.file_bytes,
            "width": picture.width,
            "height": picture.height,
            "bytes": count,
            "bpp": bpp,
            "quality": result.quality,
            "tune": result.header.tune.name.lower(),
            "model": codec.name,
            "codebook_id": codec.id.hex(),
            "notes": list(result.notes),
        }
        typer.echo(json.dumps(summary, indent=1, allow_nan=False))
    else:
        reached = f", quality {result.quality:g}" if target else ""
        if target and target.metric in ("psnr", "ssimulacra2") and result.reached is not None:
            reached += f", {target.text(result.reached)}"
        shown = "stdout" if name == files.STANDARD else name
        say(f"{shown}: {picture.width} x {picture.height}, {count} bytes, {bpp:.3f} bpp{reached}")


def load_codecs(
    model: str, with_features: bool, features_model: str, features: str | None, device: str
) -> tuple["TokenCodec", "SemanticCodec | None"]:
    """The codec of the files, and that of their features; None where they have none. Raises UsageError for features
    beside features, and for `--features` without any."""
    from imgcodec.codec import load_codec
    from imgcodec.profiles.semantic.codec import SemanticCodec, as_semantic
    from imgcodec.profiles.semantic.codec import with_features as with_weights

    codec = load_codec(model, device)
    if isinstance(codec, SemanticCodec):
        if with_features:
            raise UsageError(f"Files of the model {codec.name} are features: they take no others.")
        return (found := with_weights(codec, features)), found
    if not with_features:
        if features is not None:
            raise UsageError("--features goes with --with-features, or with a model of the profile semantic.")
        return codec, None
    return codec, with_weights(as_semantic(load_codec(features_model, device), "--with-features"), features)


def prepared(picture: "Picture", name: str, strip: bool, searcher: "SemanticCodec | None") -> "Picture":
    """The picture as it is to be compressed: stripped, or with features; says what was lost of it."""
    from dataclasses import replace

    from imgcodec.pictures import sections

    for note in picture.notes:
        say(f"{name}: {note}.")
    if strip:
        picture = sections.strip(picture)
    return picture if searcher is None else replace(picture, features=searcher.write_features(picture.pixels))
