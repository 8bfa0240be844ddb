"""The report of a bench as one self-contained page: it opens no connection, and works from a disk.

    Report, Panels ──► context, plain values ──► page_files/page.html (jinja2, escapes every value) ──► HTML
                                                 with page.css, page.js and uPlot, which draws the curves

uPlot is vendored from its npm package as it is (`page_files/uPlot.iife.min.js` names its version; MIT). A policy in the
page forbids whatever is not in it.
"""

import base64
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import imgcodec
from imgcodec.evaluation.bd import BdRate
from imgcodec.evaluation.bench import METRICS, Comparison, Report
from imgcodec.evaluation.panels import Layer, Panel, words
from imgcodec.evaluation.peers import TITLES
from imgcodec.evaluation.verdict import Verdict

FOLDER = "page_files"
METRIC_TITLES = {"psnr": "PSNR (dB)", "ms_ssim_db": "MS-SSIM (dB)", "ssimulacra2": "SSIMULACRA2"}
DASH = "–"


def render(report: Report, shown: Sequence[Panel]) -> str:
    """The page. shown: what can be laid over each other."""
    environment = Environment(
        loader=PackageLoader("imgcodec.evaluation", FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    anchor = report.others[0]
    return environment.get_template("page.html").render(
        version=imgcodec.__version__,
        styles=[_own(name) for name in ("uPlot.min.css", "page.css")],
        scripts=[_own(name) for name in ("uPlot.iife.min.js", "page.js")],
        images=len(report.images),
        verdicts=report.verdicts,
        anchor=title(anchor),
        rates=report.rates,
        metrics=METRIC_TITLES,
        curves=curves(report),
        bd_rows=[bd_row(codec, comparison, report) for codec, comparison in report.bd_rate.items()],
        means={codec: [asdict(mean) for mean in report.means[codec]] for codec in report.ours},
        tables=[pictures(verdict, report) for verdict in report.verdicts],
        panels=[panel(each) for each in shown],
        panel_words=words(report, shown),
    )


def title(codec: str) -> str:
    return TITLES.get(codec, codec)


def _own(name: str) -> str:
    """One of our files, which the template takes as it is: none of them may end the element that it stands in."""
    return resources.files("imgcodec.evaluation").joinpath(FOLDER, name).read_text(encoding="utf-8")


def curves(report: Report) -> list[dict[str, Any]]:
    """Of each metric the mean curves, for the script: points (bits per pixel, metric) by rising rate."""
    return [
        {
            "title": METRIC_TITLES[metric],
            "curves": [
                {
                    "codec": title(codec),
                    "ours": codec in report.ours,
                    "points": sorted(
                        (mean.bpp, value) for mean in means if (value := getattr(mean, metric)) is not None
                    ),
                }
                for codec, means in report.means.items()
            ],
        }
        for metric in METRICS
    ]


def bd_row(codec: str, comparison: Comparison, report: Report) -> dict[str, Any]:
    return {
        "codec": title(codec),
        "ours": codec in report.ours,
        "cells": [bd_cell(getattr(comparison, metric)) for metric in METRICS],
    }


def bd_cell(rate: BdRate) -> dict[str, Any]:
    """What is shown, by what it is sorted, and what has to be known of it."""
    text = DASH if rate.percent is None else f"{rate.percent:+.1f} %"
    return {"text": text, "value": rate.percent, "remark": rate.remark}


def pictures(verdict: Verdict, report: Report) -> dict[str, Any]:
    """The table of one of our codecs: a row a picture."""
    samples = {sample.image: sample for sample in report.samples[verdict.codec]}
    rows = []
    for picture in verdict.pictures:
        ours, sample = picture.bytes[verdict.codec], samples[picture.image]
        by_image = report.bd_rate_by_image[verdict.codec][picture.image]
        rows.append(
            {
                "image": picture.image,
                "size": f"{sample.width} × {sample.height}",
                "pixels": sample.width * sample.height,
                "bytes": {"text": DASH if ours is None else f"{ours:,.0f}".replace(",", "\u202f"), "value": ours},
                "changes": [
                    *(change(picture.saving(verdict.codec, other)) for other in report.others),
                    change(None if ours is None else 1 - ours / picture.png_bytes),
                ],
                "better_as_png": picture.better_as_png,
                "bd_rates": [bd_cell(getattr(by_image, metric)) for metric in METRICS],
            }
        )
    return {"verdict": verdict, "columns": [*map(title, report.others), "PNG"], "rows": rows}


def change(saving: float | None) -> dict[str, Any]:
    """Bytes more or fewer, in per cent."""
    percent = None if saving is None else -100 * saving
    return {"text": DASH if percent is None else f"{percent:+.0f} %", "value": percent}


def panel(shown: Panel) -> dict[str, Any]:
    return {
        "image": shown.image,
        "width": shown.width,
        "height": shown.height,
        "layers": [layer(each) for each in shown.layers],
    }


def layer(shown: Layer) -> dict[str, Any]:
    """A picture with what is told of it."""
    told = []
    if shown.file_bytes is not None and shown.scores is not None:
        told = [f"{shown.file_bytes:,} bytes".replace(",", "\u202f"), f"quality {shown.quality:g}"]
        if shown.scores.ssimulacra2 is not None:
            told.append(f"SSIMULACRA2 {shown.scores.ssimulacra2:.1f}")
        told.append(f"PSNR {shown.scores.psnr:.2f} dB")
    return {
        "title": title(shown.codec),
        "told": ", ".join(told),
        "source": f"data:{shown.mime};base64,{base64.b64encode(shown.data).decode()}",
    }
