"""`imgcodec eval`: a model on a folder of pictures, in bytes, likeness, and recall of searches."""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import MODEL, Device, Force, Jobs, MaxPixels, Quality, Tune, complain, say
from imgcodec.cli.progress import tallying
from imgcodec.workers import working_through

if TYPE_CHECKING:
    from imgcodec.evaluation.evaluate import Evaluation
    from imgcodec.metrics.reference import RGBPixels

DEFAULT_METRICS = "psnr,ms-ssim,ssimulacra2"
ALL_METRICS = "psnr,ssim,ms-ssim,ssimulacra2,lpips,clip"
DASH = "-"
NAME_WIDTH = 32
FEWEST_FOR_RECALL = 2


def evaluate(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER", help="Pictures, in folders too; or one picture.", show_default=False),
    ],
    model: Annotated[str, typer.Option(help=MODEL)] = "photo",
    metrics: Annotated[
        str, typer.Option(metavar="LIST", help=f"Some of {ALL_METRICS}, with commas between them.")
    ] = DEFAULT_METRICS,
    store: Annotated[
        Path | None,
        typer.Option(metavar="STORE", help="Take the files of this store of the pictures.", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON; - is stdout.")
    ] = None,
    force: Force = False,
    quality: Quality = None,
    tune: Tune = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="open_clip:MODEL/FILE",
            help="Where CLIP's weights are, for the metric clip and for models of its features.",
            show_default=False,
        ),
    ] = None,
    device: Device = "cpu",
    jobs: Jobs = 1,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Compress pictures, decompress them again, and measure: one line a picture, and the means.

    For a model of the profile semantic also how often a changed picture finds its original. Metrics whose extra is not
    installed are left out, with a word. Files that are no pictures are named and skipped; those that a store should
    have and that are damaged or not there are listed at the end, as failed.
    """
    from imgcodec.storage import files, pairs

    if json_file is not None:
        files.check_output(json_file, force)
    found = pictures_of(sources)

    from imgcodec.evaluation import evaluate as measuring
    from imgcodec.evaluation.retrieval import retrieval
    from imgcodec.model_file.find import pinned
    from imgcodec.profiles.semantic.codec import SemanticCodec

    names = [name.strip() for name in metrics.split(",")]
    settings = measuring.EvaluateSettings(pinned(model), names, store, quality, tune, features, device, max_pixels)
    opened = measuring.open_evaluator(settings)
    for name, why in opened.left_out.items():
        say(f"{name} is left out: {why}")
    open_task = partial(measuring.open_evaluator, settings) if jobs > 1 else lambda: opened
    pictures: list[RGBPixels] = []
    measured, failures = [], []
    sizes = {path: pairs.size_of(str(path)) for _, path in found}
    with (
        tallying(f"Evaluating {sources[0].name}", len(found), sum(sizes.values())) as tally,
        working_through(open_task, found, jobs) as outcomes,
    ):
        for outcome in outcomes:
            name, path = outcome.item
            if isinstance(outcome.error, InvalidFileError):
                say(f"Skipped {name}: {outcome.error}")
                tally.add(sizes[path])
                continue
            if type(outcome.error) is CodecError:  # of this file; others, of the model for example, are of all of them
                failures.append(f"{name}: {outcome.error}")
                tally.add(sizes[path])
                continue
            if outcome.error is not None:
                raise outcome.error
            assert outcome.result is not None
            evaluated, pixels = outcome.result
            measured.append(evaluated)
            if pixels is not None:
                pictures.append(pixels)
            tally.add(sizes[path], evaluated.width * evaluated.height, sizes[path], evaluated.bytes)
    for failure in failures:
        complain(failure)
    if not measured:
        needed = "can be read" if store is None or not found else f"{store} has a whole file of"
        raise InvalidFileError(f"{' '.join(map(str, sources))} holds no picture that {needed}.")
    recall = {}
    if isinstance(opened.codec, SemanticCodec) and len(pictures) >= FEWEST_FOR_RECALL:
        recall = retrieval(opened.codec, pictures)
    report = measuring.Evaluation(opened.codec.name, measured, measuring.means(measured), opened.left_out, recall)
    if json_file is not None:
        text = json.dumps(asdict(report), indent=1, allow_nan=False) + "\n"
        files.write(json_file, text.encode(), force)
    if str(json_file) != files.STANDARD:
        sys.stdout.write("\n".join(lines(report)) + "\n")
    if failures:
        raise typer.Exit(CodecError.exit_code)


def pictures_of(sources: list[Path]) -> list[tuple[str, Path]]:
    """Names and paths of pictures that are named, and of files in folders. Raises CodecError for what is not there."""
    from imgcodec.storage import folders

    found = []
    for source in sources:
        if not source.exists():
            raise CodecError(f"There is no {source}.")
        if source.is_dir():
            prefix = f"{source.resolve().name}/" if len(sources) > 1 else ""
            found += [(prefix + name, path) for name, path in folders.files_below(source, say)]
        else:
            found.append((source.name, source))
    return found


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
