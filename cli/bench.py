"""`imgcodec bench`: ours beside JPEG on a folder of pictures, in bytes, quality and seconds."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.cli.options import Device, Effort, Force, on_terminal, say
from imgcodec.storage import files

if TYPE_CHECKING:  # these bring numpy, scipy and torch, which `--help` does not wait for
    from rich.table import Table

    from imgcodec.evaluation.bd import BdRate
    from imgcodec.evaluation.bench import Comparison, Mean, Report, Sample
    from imgcodec.evaluation.peers import Codec
    from imgcodec.metrics.reference import RGBPixels

DEFAULT_QUALITIES = "5,15,25,35,50,65,80,95"
DASH = "-"
PIPE_WIDTH = 140  # columns of a table that does not go to a terminal


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
            help=f"Qualities, 0 to 100, with commas between them. Default: {DEFAULT_QUALITIES}.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a row for each file made, ours and JPEG's; - is stdout."),
    ] = None,
    force: Force = False,
    model: Annotated[str, typer.Option(help="Name or path of the model.")] = "photo",
    tune: Annotated[
        str | None, typer.Option(metavar="psnr|visual", help="Measure one tune. Default: all that the model has.")
    ] = None,
    effort: Effort = 1,
    device: Device = "cpu",
) -> None:
    """Compare real files of ours with JPEG: size, PSNR, MS-SSIM, SSIMULACRA2, seconds, BD-rate.

    Pictures are compared as RGB; transparency and metadata are left out on both sides.
    """
    qualities = None if quality is None else parse_qualities(quality)
    csv_to_stdout = str(csv_file) == files.STANDARD
    if csv_to_stdout and as_json:
        raise UsageError("JSON and CSV cannot both go to standard output.")
    if csv_file and not csv_to_stdout:
        files.check_output(csv_file, force)
    paths = find_files(folder)

    from imgcodec.evaluation import bench as benchmark

    codecs = load_codecs(model, device, qualities, tune, effort)
    reports: dict[str, Report] = {}
    for codec in codecs:
        if not reports:
            reports[codec.name] = measure(benchmark.run, paths, codec, benchmark.steps(codec))
            continue
        jpeg = next(iter(reports.values())).jpeg_samples  # on those files that are pictures
        readable = {sample.image for sample in jpeg}
        again = partial(benchmark.run, jpeg=jpeg)
        reports[codec.name] = measure(again, [p for p in paths if p.name in readable], codec, len(codec.qualities))

    if csv_file and not csv_to_stdout:
        files.write(csv_file, to_csv(reports).encode(), force)
    if csv_to_stdout:
        sys.stdout.write(to_csv(reports))
    elif as_json:
        each = [{"codec": name, **asdict(report)} for name, report in reports.items()]
        typer.echo(json.dumps({"model": model, "device": device, "reports": each}, indent=1, allow_nan=False))
    else:
        for name, report in reports.items():
            print_tables(name, report)


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


def load_codecs(
    model_name: str, device: str, qualities: tuple[float, ...] | None, tune: str | None, effort: int = 1
) -> list["Codec"]:
    """Our codec as two functions between pixels and bytes, for one tune or for each that the model has. A model of one
    rate is measured at that, which counts as quality 0, and takes no others."""
    import numpy as np

    from imgcodec.api import load_model
    from imgcodec.evaluation.peers import Codec

    model = load_model(model_name, device=device)

    def decompress(data: bytes) -> "RGBPixels":
        return np.asarray(model.decompress(data).convert("RGB"))

    if not model.has_qualities:
        if qualities is not None:
            raise UsageError(f"The model {model.name} has one rate: it takes no quality.")
        name = f"imgcodec {model.name}"
        return [Codec(name, (0,), lambda pixels, _: model.compress(pixels, tune=tune, effort=effort), decompress)]

    def tuned(tune: str, name: str) -> Codec:
        def compress(pixels: "RGBPixels", quality: float) -> bytes:
            return model.compress(pixels, quality=quality, tune=tune, effort=effort)

        return Codec(name, qualities or parse_qualities(DEFAULT_QUALITIES), compress, decompress)

    tunes = model.tunes if tune is None else [tune]
    return [tuned(t, "imgcodec" if t == "psnr" else f"imgcodec {t}") for t in tunes]


def measure(run: Callable[..., "Report"], paths: list[Path], codec: "Codec", steps: int) -> "Report":
    """Run over the files that are pictures: with progress on a terminal, and a word on stderr for each other file."""
    from rich.console import Console
    from rich.progress import Progress

    from imgcodec.pictures import io as image

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

        return run(pictures(), codec, advance=lambda: progress.advance(task))


def to_csv(reports: dict[str, "Report"]) -> str:
    """One row a file made. A cell is empty where there is no figure."""
    table = io.StringIO()
    ours = [sample for report in reports.values() for sample in report.samples]
    rows = [csv_row(sample) for sample in ours + next(iter(reports.values())).jpeg_samples]
    writer = csv.DictWriter(table, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def csv_row(sample: "Sample") -> dict[str, object]:
    """A Sample as flat columns."""
    row = asdict(sample)
    match = row.pop("jpeg") or {"quality": None, "bytes": None, "psnr": None}
    return row | {f"same_psnr_jpeg_{name}": value for name, value in match.items()}


def print_tables(name: str, report: "Report") -> None:
    """Three tables on stdout: every file, every quality over all files, and the BD-rates. Then where JPEG is better."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(sample_table(name, report.samples))
    console.print(mean_table(name, report.means))
    console.print(bd_table(name, report))
    for line in worse_lines(report.worse_than_jpeg):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def sample_table(codec: str, samples: list["Sample"]) -> "Table":
    """Every image at every quality."""
    names = "image,quality,bytes,bpp,PSNR,MS-SSIM,dB,SSIMULACRA2,encode s,decode s,JPEG q,JPEG bytes,saved"
    table = new_table(f"{codec}: each image", names.split(","))
    for sample in samples:
        jpeg = sample.jpeg
        table.add_row(
            sample.image.replace("[", r"\["),
            f"{sample.quality:g}",
            f"{sample.bytes}",
            f"{sample.bpp:.3f}",
            f"{sample.psnr:.2f}",
            number(sample.ms_ssim, ".4f"),
            number(sample.ms_ssim_db, ".2f"),
            number(sample.ssimulacra2, ".1f"),
            f"{sample.encode_seconds:.3f}",
            f"{sample.decode_seconds:.3f}",
            f"{jpeg.quality}" if jpeg else DASH,
            f"{jpeg.bytes}" if jpeg else DASH,
            f"{1 - sample.bytes / jpeg.bytes:.0%}" if jpeg else DASH,
        )
    return table


def mean_table(codec: str, means: list["Mean"]) -> "Table":
    """Every quality, over all images."""
    names = "quality,images,bytes,bpp,PSNR,MS-SSIM,dB,SSIMULACRA2,encode MP/s,decode MP/s,JPEG q,JPEG bytes,saved"
    table = new_table(f"{codec}, all images: sums of bytes, means of the rest", names.split(","))
    for mean in means:
        jpeg = mean.jpeg
        table.add_row(
            f"{mean.quality:g}",
            f"{mean.images}",
            f"{mean.bytes}",
            f"{mean.bpp:.3f}",
            f"{mean.psnr:.2f}",
            number(mean.ms_ssim, ".4f"),
            number(mean.ms_ssim_db, ".2f"),
            number(mean.ssimulacra2, ".1f"),
            f"{mean.encode_mp_per_second:.2f}",
            f"{mean.decode_mp_per_second:.2f}",
            f"{jpeg.quality:.1f}" if jpeg else DASH,
            # JPEG has no file of the same PSNR for every image, so say for how many these bytes stand.
            (f"{jpeg.bytes}" + (f" ({jpeg.images} images)" if jpeg.images < mean.images else "")) if jpeg else DASH,
            f"{jpeg.saving:.0%}" if jpeg else DASH,
        )
    return table


def bd_table(codec: str, report: "Report") -> "Table":
    """BD-rates of every image and of the mean curves."""
    low, high = report.rates
    table = new_table(
        f"{codec}: BD-rate against JPEG, {low:g} to {high:g} bpp: bits for the same quality, JPEG = 0 %",
        ["image", "PSNR", "MS-SSIM", "SSIMULACRA2"],
    )
    for name, comparison in report.bd_rate_by_image.items():
        table.add_row(name.replace("[", r"\["), *bd_cells(comparison))
    table.add_section()
    table.add_row("mean curve", *bd_cells(report.bd_rate))
    return table


def worse_lines(worse: dict[str, list[float]]) -> list[str]:
    """The images at which the codec does badly, by name."""
    if not worse:
        return ["No file is larger than the JPEG of the same PSNR."]
    lines = [f"{name}: {', '.join(f'{quality:g}' for quality in qualities)}" for name, qualities in worse.items()]
    return ["Larger than the JPEG of the same PSNR, at quality:", *(f"  {line}" for line in lines)]


def bd_cells(comparison: "Comparison") -> list[str]:
    """The three figures, each with its remark."""
    return [bd_cell(rate) for rate in (comparison.psnr, comparison.ms_ssim_db, comparison.ssimulacra2)]


def bd_cell(rate: "BdRate") -> str:
    figure = DASH if rate.percent is None else f"{rate.percent:+.1f} %"
    return f"{figure} ({rate.remark})" if rate.remark else figure


def number(value: float | None, form: str) -> str:
    """A figure, or a dash where the image is too small for it."""
    return DASH if value is None else format(value, form)


def new_table(title: str, columns: list[str]) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == "image" else "right", overflow="fold")
    return table
