"""Rate-distortion curves of a set of pictures, as JSON and as a plot.

    python benchmarks/rd.py measure kodak/ -o benchmarks/results/rd.json
    python benchmarks/rd.py measure kodak/ --effort 5 --peers jpeg --quality 5,15,28,45,65,85 --jobs 2 \\
        -o benchmarks/results/rd_effort.json
    python benchmarks/rd.py plot benchmarks/results/rd.json -o docs/kodak.svg

`measure` codes every picture with ours, JPEG, and Pillow's WebP and AVIF, and writes the mean curves (every byte of the
real files counted), the BD-rates against JPEG, and the machine, versions and commit. `plot` draws four of these curves,
or others with `--codecs`, from a points file also those of codecs measured elsewhere; it needs matplotlib
(`pip install 'imgcodec[bench]'`).

A points file is {codec: [{"bpp": ..., "psnr": ..., "msssim_db": ..., "ssimulacra2": ...}, ...]}, a point each quality.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import cache, partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import torch
from machine import describe

from imgcodec.cli.bench import find_files, parse_qualities
from imgcodec.evaluation import bench, peers
from imgcodec.evaluation.bd import USUAL_RATES, quality_at
from imgcodec.evaluation.bench import METRICS, Mean, Sample
from imgcodec.evaluation.ours import DEFAULT_QUALITIES, codecs_of_model
from imgcodec.metrics.reference import Reference
from imgcodec.pictures import io as image

QUOTED_RATES = (0.25, 0.5, 1)  # bits per pixel
TITLES = {"psnr": "PSNR (dB)", "ms_ssim_db": "MS-SSIM (dB)", "ssimulacra2": "SSIMULACRA2"}
NAMES_IN_POINTS = {"psnr": "psnr", "ms_ssim_db": "msssim_db", "ssimulacra2": "ssimulacra2"}
LOOKS = {
    "imgcodec visual": ("imgcodec visual", "#c0392b", "o"),
    "imgcodec psnr": ("imgcodec psnr", "#1a1a1a", "s"),
    "avif": ("AVIF", "#2471a3", "^"),
    "jpeg": ("JPEG", "#b9770e", "D"),
    "jxl": ("JPEG XL", "#7d3c98", "v"),
    "vvc-medium": ("VVC (vvenc medium)", "#1e8449", "P"),
}
"""What a plot may show: the name in its legend, colour and marker, so that no two curves look alike in gray."""


def measure(arguments: argparse.Namespace) -> None:
    samples: defaultdict[str, list[Sample]] = defaultdict(list)
    files = find_files(arguments.folder)
    with ProcessPoolExecutor(
        arguments.jobs, get_context("spawn"), initializer=share, initargs=[arguments.jobs]
    ) as pool:
        for number, of_picture in enumerate(pool.map(partial(of_one, arguments=arguments), files), 1):
            print(f"{number}/{len(files)} {files[number - 1].name}", file=sys.stderr)
            for name, found in of_picture.items():
                samples[name] += found
    curves = {name: bench.means(of_codec) for name, of_codec in samples.items()}
    against_jpeg = {name: bench.compare(samples["jpeg"], of_codec) for name, of_codec in samples.items()}
    result = {
        **describe(),
        "model": arguments.model,
        "device": arguments.device,
        "pictures": [path.name for path in files],
        "bd_rate_against_jpeg": {name: asdict(comparison) for name, comparison in against_jpeg.items()},
        "bd_rate_bpp": USUAL_RATES,
        "at_bpp": {name: at_rates(means) for name, means in curves.items()},
        "curves": {name: [asdict(mean) for mean in means] for name, means in curves.items()},
    }
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    for name, comparison in against_jpeg.items():
        percent = comparison.psnr.percent
        psnr = at_rates(curves[name])["1"]["psnr"]
        print(
            f"{name:12}",
            "BD-rate in PSNR:",
            "no overlap" if percent is None else f"{percent:+6.1f} %",
            f"   PSNR at 1 bpp: {psnr:.2f} dB" if psnr else "",
        )


def share(jobs: int) -> None:
    """Gives a process its part of the cores, and ends it with the one that started it, whatever ends that."""
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))
    Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def of_one(path: Path, arguments: argparse.Namespace) -> dict[str, list[Sample]]:
    """All samples of a picture, by codec."""
    reference = Reference(image.load(path).pixels)
    samples = {}
    for codec in codecs_of(
        arguments.model, arguments.device, arguments.quality, arguments.tune, arguments.effort, arguments.peers
    ):
        samples[codec.name] = [bench.measure(path.name, reference, codec, quality) for quality in codec.qualities]
    return samples


@cache
def codecs_of(model: str, device: str, quality: str, tune: str | None, effort: str, others: str) -> list[peers.Codec]:
    """Ours for a tune or for every one, and for every effort, and the peers, of which JPEG is the anchor."""
    ours = []
    for each in map(int, effort.split(",")):
        codecs = codecs_of_model(model, device, parse_qualities(quality), tune, each)
        ours += [replace(c, name=f"{c.name} -e{each}") if each > 1 else c for c in codecs]
    return [*ours, *peers.peers_named(others.split(","))[0]]


def at_rates(means: list[Mean]) -> dict[str, dict[str, float | None]]:
    """Every metric of a mean curve at the rates to quote."""
    curves = {
        metric: [(mean.bpp, getattr(mean, metric)) for mean in means if getattr(mean, metric) is not None]
        for metric in METRICS
    }
    return {f"{rate:g}": {metric: quality_at(curve, rate) for metric, curve in curves.items()} for rate in QUOTED_RATES}


def plot(arguments: argparse.Namespace) -> None:
    import matplotlib

    matplotlib.use("Agg")  # draws files, needs no display
    from matplotlib import pyplot

    curves: dict[str, list[dict]] = {}
    for file in arguments.results:
        curves |= {n: points for n, points in json.loads(file.read_text())["curves"].items() if n not in curves}
    elsewhere = json.loads(arguments.points.read_text()) if arguments.points else {}
    figure, axes = pyplot.subplots(1, len(METRICS), figsize=(13, 4.6), layout="constrained")
    for axis, metric in zip(axes, METRICS, strict=True):
        for name in arguments.codecs.split(","):
            label, colour, marker = LOOKS[name]
            column = metric if name in curves else NAMES_IN_POINTS[metric]
            known = [(p["bpp"], p[column]) for p in curves.get(name) or elsewhere[name] if p.get(column) is not None]
            width = 2.2 if name.startswith("imgcodec") else 1.4
            axis.plot(*zip(*sorted(known), strict=True), label=label, color=colour, marker=marker, linewidth=width)
        axis.set(title=TITLES[metric], xlabel="bits per pixel", xlim=(0, arguments.most_bpp))
        inside = [y for line in axis.lines for x, y in line.get_xydata() if x <= arguments.most_bpp]
        axis.set_ylim(max(min(inside), -20), max(inside) + 1)
        axis.grid(alpha=0.3)
    axes[0].legend(loc="lower right")
    figure.savefig(arguments.output, dpi=120, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("measure")
    command.add_argument("folder", type=Path)
    command.add_argument("-o", "--output", type=Path, required=True)
    command.add_argument("--quality", default=",".join(f"{quality:g}" for quality in DEFAULT_QUALITIES))
    command.add_argument("--tune", help="one; all if not given")
    command.add_argument("--effort", default="1", help="one, or a list")
    command.add_argument("--peers", default="jpeg,webp,avif")
    command.add_argument("--jobs", type=int, default=1, help="pictures at once")
    command.add_argument("--model", default="photo")
    command.add_argument("--device", default="cpu")
    command.set_defaults(run=measure)
    command = commands.add_parser("plot")
    command.add_argument("results", type=Path, nargs="+", help="of which the first counts where two have a codec")
    command.add_argument("-o", "--output", type=Path, required=True, help="PNG or SVG")
    command.add_argument("--points", type=Path, help="curves of other codecs")
    command.add_argument(
        "--codecs", default="imgcodec visual,imgcodec psnr,avif,jpeg", help="which, of " + ", ".join(LOOKS)
    )
    command.add_argument("--most-bpp", type=float, default=1.2)
    command.set_defaults(run=plot)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
