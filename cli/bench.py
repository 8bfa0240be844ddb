"""`imgcodec bench`: ours beside other codecs on a folder of pictures, in bytes, likeness and seconds."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.cli.options import MODEL, Device, Effort, Force, counting, on_terminal, say
from imgcodec.storage import files

if TYPE_CHECKING:  # these bring numpy, scipy and torch, which `--help` does not wait for
    from imgcodec.evaluation.bench import Report
    from imgcodec.evaluation.peers import Codec
    from imgcodec.metrics.reference import RGBPixels

DEFAULT_AGAINST = "jpeg,avif"
PEERS = "jpeg, webp, avif, avif-ssimulacra2, avif-psnr, jxl"


def bench(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder of pictures, or one picture.", show_default=False)
    ],
    quality: Annotated[
        str | None,
        typer.Option(
            "--quality",
            "-q",
            metavar="LIST",
            help="Qualities, 0 to 100, with commas between them. Default: 5,15,25,35,50,65,80,95.",
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            metavar="LIST", help=f"Codecs to compare with, some of {PEERS}. BD-rates are against the first one."
        ),
    ] = DEFAULT_AGAINST,
    html_file: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page: curves, tables, pictures side by side."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a row for each file made, of all codecs; - is stdout."),
    ] = None,
    force: Force = False,
    model: Annotated[str, typer.Option(help=MODEL)] = "photo",
    tune: Annotated[
        str | None, typer.Option(metavar="psnr|visual", help="Measure one tune. Default: all that the model has.")
    ] = None,
    effort: Effort = 1,
    device: Device = "cpu",
) -> None:
    """Compare real files of ours with those of other codecs, and say who takes fewer bytes.

    Measured are size, PSNR, MS-SSIM, SSIMULACRA2, seconds and BD-rate. Pictures are compared as RGB; transparency and
    metadata are left out on both sides.
    """
    qualities = None if quality is None else parse_qualities(quality)
    outputs = [file for file in (csv_file, html_file) if file is not None]
    if [str(file) for file in outputs].count(files.STANDARD) + as_json > 1:
        raise UsageError("Of JSON, CSV and HTML only one can go to standard output.")
    for file in outputs:
        files.check_output(file, force)
    paths = find_files(folder)

    from imgcodec.cli.bench_tables import lines
    from imgcodec.evaluation.ours import codecs_of_model
    from imgcodec.evaluation.peers import peers_named

    others, missing = peers_named([name.strip() for name in against.split(",")])
    for name, why in missing.items():
        say(f"{name} is left out: {why}")
    if not others:
        raise CodecError(f"None of the codecs {', '.join(missing)} is here to compare with.")
    ours = codecs_of_model(model, device, qualities, tune, effort)
    report = measure(paths, ours, others)

    if csv_file:
        files.write(csv_file, to_csv(report).encode(), force)
    if as_json:
        typer.echo(json.dumps({"model": model, "device": device, **asdict(report)}, indent=1, allow_nan=False))
    elif files.STANDARD not in map(str, outputs):
        typer.echo("\n".join(lines(report)))
    if html_file:  # last, for it takes a while, and what is measured is there then
        files.write(html_file, page_of(report, paths, ours, others).encode(), force)


def parse_qualities(text: str) -> tuple[float, ...]:
    """Rising qualities from a list with commas. Raises UsageError."""
    try:
        qualities = sorted({float(item) for item in text.split(",")})
    except ValueError:
        raise UsageError(f"--quality takes numbers with commas between them, not {text!r}.") from None
    if not all(0 <= quality <= 100 for quality in qualities):  # false for NaN, too
        raise UsageError(f"Qualities go from 0 to 100, not {text!r}.")
    return tuple(qualities)


def find_files(folder: Path) -> list[Path]:
    """The files in a folder, by name, hidden ones left out; or the one file given. Raises CodecError."""
    try:
        if not folder.exists():
            raise CodecError(f"There is no folder {folder}.")
        if not folder.is_dir():
            return [folder]
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise CodecError(f"{folder} cannot be read: {error.strerror}.") from None
    if not paths:
        raise CodecError(f"{folder} holds no files.")
    return paths


def measure(paths: list[Path], ours: list["Codec"], others: list["Codec"]) -> "Report":
    """Run over the files that are pictures: with progress on a terminal, and a word on stderr for each other file."""
    from rich.console import Console
    from rich.progress import Progress

    from imgcodec.evaluation import bench as benchmark
    from imgcodec.pictures import io as image

    steps = benchmark.steps([*ours, *others])
    with Progress(console=Console(stderr=True), transient=True, disable=not on_terminal()) as progress:
        task = progress.add_task("", total=steps * len(paths))

        def pictures() -> Iterator[tuple[str, "RGBPixels"]]:
            readable = 0
            for path in paths:
                progress.update(task, description=path.name.replace("[", r"\["))
                try:
                    pixels = image.load(path).pixels
                except CodecError as error:
                    if len(paths) == 1:
                        raise
                    say(f"Skipped {path.name}: {error}")
                    progress.advance(task, steps)
                    continue
                readable += 1
                yield path.name, pixels
            if not readable:
                raise InvalidFileError(f"{paths[0].parent} holds no picture that can be read.")

        report = benchmark.run(pictures(), ours, others, advance=lambda: progress.advance(task))
    for codec, refused in report.refused.items():
        for name, why in refused.items():
            say(f"{codec} is left out for {name}: {why}")
    return report


def page_of(report: "Report", paths: list[Path], ours: list["Codec"], others: list["Codec"]) -> str:
    """The page of a report. The pictures that are shown on it are coded once more."""
    from imgcodec.evaluation import page, panels
    from imgcodec.pictures import io as image

    by_name = {path.name: path for path in paths}
    chosen = panels.choose(report)
    shown = []
    with counting("Making the page", len(chosen)) as advance:
        for name in chosen:
            shown.append(panels.panel(name, image.load(by_name[name]).pixels, ours[-1], others, report.refused))
            advance()
    text = page.render(report, shown)
    say(f"The page has {len(text) / 2**20:.1f} MiB; {panels.words(report, shown)}")
    return text


def to_csv(report: "Report") -> str:
    """One row a file made. A cell is empty where there is no figure."""
    table = io.StringIO()
    rows = [asdict(sample) for samples in report.samples.values() for sample in samples]
    writer = csv.DictWriter(table, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
