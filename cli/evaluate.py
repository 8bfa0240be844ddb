"""`imgcodec eval`: a model on a folder of pictures, in bytes, likeness, and recall of searches."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import Device, Features, Force, MaxPixels, Quality, Tune, counting, say

if TYPE_CHECKING:
    from imgcodec.evaluation.evaluate import Evaluation
    from imgcodec.metrics.reference import RGBPixels

DEFAULT_METRICS = "psnr,ms-ssim,ssimulacra2"
ALL_METRICS = "psnr,ssim,ms-ssim,ssimulacra2,lpips,clip"
DASH = "-"
NAME_WIDTH = 32
FEWEST_FOR_RECALL = 2


def evaluate(
    directory: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Pictures, in folders too; or one picture.", show_default=False)
    ],
    model: Annotated[str, typer.Option(help="Name or path of the model.")] = "photo",
    metrics: Annotated[
        str, typer.Option(metavar="LIST", help=f"Some of {ALL_METRICS}, with commas between them.")
    ] = DEFAULT_METRICS,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Take the files of this store of the pictures.", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON; - is stdout.")
    ] = None,
    force: Force = False,
    quality: Quality = None,
    tune: Tune = None,
    features: Features = None,
    device: Device = "cpu",
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Compress pictures, decompress them again, and measure: one line a picture, and the means.

    For a model of the profile semantic also how often a changed picture finds its original. Metrics whose extra is not
    installed are left out, with a word.
    """
    from imgcodec.storage import files, folders

    if json_file is not None:
        files.check_output(json_file, force)
    if directory.is_dir():
        found = folders.files_below(directory, say)
    elif directory.exists():
        found = [(directory.name, directory)]
    else:
        raise CodecError(f"There is no {directory}.")

    import numpy as np

    from imgcodec.codec import decode_picture, encode_picture, load_codec
    from imgcodec.evaluation import evaluate as measuring
    from imgcodec.evaluation.retrieval import retrieval
    from imgcodec.evaluation.similarity import metrics as metrics_named
    from imgcodec.pictures import io
    from imgcodec.profiles.decodable import read_decodable
    from imgcodec.profiles.semantic.codec import SemanticCodec, with_features
    from imgcodec.retrieval.store import read_store

    known, left_out = metrics_named([name.strip() for name in metrics.split(",")])
    for name, why in left_out.items():
        say(f"{name} is left out: {why}")
    codec = load_codec(model, device)
    if isinstance(codec, SemanticCodec):
        codec = with_features(codec, features)
    elif features is not None:
        raise UsageError(f"The model {codec.name} has no features.")
    stored = None
    if store is not None:
        if quality is not None or tune is not None:
            raise UsageError("With --store, quality and tune are those of its files.")
        stored = read_store(store)
        if stored is None:
            raise InvalidFileError(f"{store} is no store: it has no manifest.")

    def compress(name: str, pixels: "RGBPixels") -> bytes:
        if store is None or stored is None:
            return encode_picture(codec, io.Picture(pixels), quality, tune=tune).data
        return files.read(store / stored.pictures[name].file)

    def decompress(data: bytes) -> "RGBPixels":
        return decode_picture(codec, read_decodable(data, max_pixels), max_pixels=max_pixels).pixels

    pictures: dict[str, RGBPixels] = {}
    measured = []
    with counting(f"Evaluating {directory.name}", len(found)) as advance:
        for name, path in found:
            try:
                pixels = io.load(path, max_pixels).pixels
            except InvalidFileError as error:
                say(f"Skipped {name}: {error}")
                continue
            if stored is not None and name not in stored.pictures:
                say(f"Skipped {name}: the store does not have it.")
                continue
            measured += measuring.evaluate([(name, pixels)], compress, decompress, known)
            if isinstance(codec, SemanticCodec):
                pictures[name] = np.ascontiguousarray(pixels)
            advance()
    if not measured:
        raise InvalidFileError(f"{directory} holds no picture that can be read.")
    recall = {}
    if isinstance(codec, SemanticCodec) and len(pictures) >= FEWEST_FOR_RECALL:
        recall = retrieval(codec, list(pictures.values()))
    report = measuring.Evaluation(codec.name, measured, measuring.means(measured), left_out, recall)
    if json_file is not None:
        text = json.dumps(asdict(report), indent=1, allow_nan=False) + "\n"
        files.write(json_file, text.encode(), force)
    if str(json_file) != files.STANDARD:
        sys.stdout.write("\n".join(lines(report)) + "\n")


def lines(report: "Evaluation") -> list[str]:
    """The report for people, within 80 columns for the default metrics."""
    names = list(report.pictures[0].figures)
    text = [f"{'picture':{NAME_WIDTH}}{'bytes':>9}{'bpp':>8}" + "".join(f"{name:>12}" for name in names)]
    for picture in report.pictures:
        text.append(row(picture.name, picture.bytes, picture.bpp, [picture.figures[name] for name in names]))
    mean = report.mean
    text.append(row("mean", round(mean["bytes"]), mean["bpp"], [mean.get(name) for name in names]))
    if report.retrieval:
        kinds = list(report.retrieval["all"])
        text += ["", f"{'query':{NAME_WIDTH}}" + "".join(f"{kind:>17}" for kind in kinds)]
        for query, figures in report.retrieval.items():
            text.append(f"{query:{NAME_WIDTH}}" + "".join(f"{figures[kind]:>17.1%}" for kind in kinds))
    return text


def row(name: str, size: int, bpp: float, figures: list[float | None]) -> str:
    short = name if len(name) < NAME_WIDTH else "…" + name[-NAME_WIDTH + 2 :]
    cells = (DASH if figure is None else f"{figure:.3f}" for figure in figures)
    return f"{short:{NAME_WIDTH}}{size:>9}{bpp:>8.4f}" + "".join(f"{cell:>12}" for cell in cells)
