"""`imgcodec compress`: an image file to a .nic file."""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.many import Asked, Making, inside, is_many, make_many, tell
from imgcodec.cli.options import (
    MODEL,
    Device,
    Effort,
    Features,
    Force,
    Jobs,
    Json,
    MaxPixels,
    Quality,
    Recursive,
    Strip,
    Tune,
    say,
)
from imgcodec.cli.progress import sharing
from imgcodec.cli.store import compress_to_store
from imgcodec.cli.targets import TargetBpp, TargetPsnr, TargetSize, TargetSsimulacra2, parse_size
from imgcodec.storage.pairs import Pair, is_nic, is_picture, nic_beside

RAY = "ray"
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}")  # not what a date has behind its point


def compress(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="An image file, or a folder of them; - is stdin.", show_default=False),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The .nic file or store to write; - is stdout. Default: beside the input. Another suffix needs -f. "
            "Of several inputs, and with -r, the folder of their .nic files.",
        ),
    ] = None,
    recursive: Recursive = False,
    jobs: Jobs = 1,
    quality: Quality = None,
    tune: Tune = None,
    effort: Effort = 1,
    target_size: TargetSize = None,
    target_bpp: TargetBpp = None,
    target_psnr: TargetPsnr = None,
    target_ssimulacra2: TargetSsimulacra2 = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Keep every sample, of up to 16 bits, and take no quality or target.")
    ] = False,
    no_exact: Annotated[
        bool, typer.Option("--no-exact", help="Code all by the model, also small pictures and drawings.")
    ] = False,
    strip: Strip = False,
    force: Force = False,
    device: Device = "cpu",
    model: Annotated[str, typer.Option(help=MODEL)] = "photo",
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Decode the file before it is put in place, compare, and say what is far from the original.",
        ),
    ] = False,
    with_features: Annotated[
        bool, typer.Option("--with-features", help="Put in what the picture shows, some hundred bytes, for `search`.")
    ] = False,
    features_model: Annotated[str, typer.Option(metavar="MODEL", help="Whose features these are.")] = "semantic",
    features: Features = None,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
    engine: Annotated[
        str,
        typer.Option(
            metavar="auto|onnx|torch|ray",
            help="What computes: ONNX Runtime or PyTorch; auto takes what is faster. "
            "ray: a Ray cluster, with -j actors; folders as with -r.",
        ),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Make a .nic file of each picture, with its transparency and metadata; of a folder, a store of .nic files.

    A store has a manifest, and is filled on where it was stopped. Files that are no pictures are named and skipped.
    With -r there is no store: each picture in the folder gets a .nic file beside it, or at its place in the folder of
    -o. Of several pictures, those whose .nic file is there and not older are left out.
    """
    from imgcodec.bitstream.header import SIGNATURE
    from imgcodec.engines import ENGINES
    from imgcodec.model_file.find import pinned
    from imgcodec.rate_control import target_of
    from imgcodec.storage import files
    from imgcodec.tasks.compress import CompressSettings, open_compressor, open_repeatable

    if len(sources) == 2 and output is None and is_nic(sources[1]) and not is_nic(sources[0]):
        raise UsageError(f"Compress takes pictures, and here is also {sources[1]}; the output is named with -o.")
    if engine not in (*ENGINES, RAY):
        raise UsageError(f"There is no engine {engine!r:.100}; engines are {', '.join(ENGINES)} and {RAY}.")
    on_ray = engine == RAY
    source = sources[0]
    recursive = recursive or on_ray
    has_many = is_many(sources, recursive)
    is_store = not has_many and source != "" and Path(source).is_dir()
    if is_store and as_json:
        raise UsageError("The JSON of a folder is the manifest of its store.")
    if not has_many and not is_store:
        output = checked_output(source, inside(output, source, nic_beside), force, as_json)
    size = None if target_size is None else parse_size(target_size)
    if is_store or has_many:
        model = pinned(model)
    settings = CompressSettings(
        model, quality, target_of(quality, size, target_bpp, target_psnr, target_ssimulacra2, lossless), tune,
        effort, lossless, not no_exact, strip, verify, features_model if with_features else None, features, device,
        "auto" if on_ray else engine, max_pixels,
    )  # fmt: skip
    if is_store:
        compress_to_store(Path(source), output, settings, force, jobs)
        return
    if has_many:
        open_task = partial(open_repeatable if on_ray else open_compressor, settings)
        working = None
        if on_ray:
            from imgcodec.cluster import working_through_on_ray

            working = partial(working_through_on_ray, gpus=1 if device.startswith("cuda") else 0)
        asked = Asked(sources, recursive, output, force, jobs, as_json)
        make_many(asked, Making("Compressing", nic_beside, is_picture, SIGNATURE, open_task, working))
        return

    assert output is not None
    files.check_output(output, force)
    if files.is_same(source, output):
        raise UsageError(f"{output} is the input; name another output with -o.")
    opening = ThreadPoolExecutor(1).submit(open_compressor, settings)  # while the picture is read
    picture = settings.load(source)
    with sharing(f"Compressing {Path(source).name}", is_known=settings.target is None) as advance:
        made = opening.result().compress(picture, Pair(source, output, replace=force), advance)
    tell(made, as_json, say)


def checked_output(source: str, output: str | None, force: bool, as_json: bool) -> str:
    """The name of the output of one picture. Raises UsageError for one that cannot be meant."""
    from imgcodec.storage.files import STANDARD

    if output is None:
        output = source if source == STANDARD else nic_beside(source)
    elif not force and SUFFIX.fullmatch(Path(output).suffix) and not is_nic(output):
        raise UsageError(f"{output} would be a .nic file by another suffix: name it .nic, or insist with -f.")
    if as_json and output == STANDARD:
        raise UsageError("The file and the JSON cannot both go to stdout; name a file with -o.")
    return output
