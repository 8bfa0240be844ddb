"""What one model saves over another on the same pictures: real files, BD-rate in PSNR.

    python benchmarks/compare.py own/test photo runs/mine/photo.safetensors -o benchmarks/results/mine.json

The two are models of many qualities, each a name or a file. Points are means over the pictures at each quality, as for
any rate-distortion curve; below zero the second model needs fewer bits. Where they differ little, a picture or two more
or less move the figure by tenths: use as many as there are.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from machine import describe

import imgcodec
from imgcodec.cli.bench import find_files, parse_qualities
from imgcodec.evaluation.bd import bd_rate
from imgcodec.metrics.reference import RGBPixels, psnr
from imgcodec.pictures import io as image

RATES = (0.05, 1.5)  # bits per pixel that are compared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures")
    parser.add_argument("models", nargs=2, metavar="MODEL", help="a name, or a .safetensors file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--quality", default="10,25,40,55,70,85", help="a list")
    parser.add_argument("--tune", default="psnr")
    arguments = parser.parse_args()

    pictures = [image.load(path).pixels for path in find_files(arguments.folder)]
    qualities = parse_qualities(arguments.quality)
    models, curves = [], []
    for name_or_path in arguments.models:
        model = imgcodec.load_model(name_or_path)
        curves.append([mean_point(model, pictures, quality, arguments.tune) for quality in qualities])
        models.append({"id": model.id.hex(), "points": [{"bpp": r, "psnr": q} for r, q in curves[-1]]})
        print(name_or_path, model.id.hex(), "  ".join(f"{r:.4f} bpp {q:.2f} dB" for r, q in curves[-1]), flush=True)
    found = bd_rate(*curves, RATES)
    result = {
        **describe(), "pictures": len(pictures), "tune": arguments.tune, "qualities": qualities, "models": models,
        "bd_rate_percent": found.percent, "decibels_compared": found.interval,
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    print(f"BD-rate in PSNR: {found.percent:+.2f} % {found.remark}" if found.percent is not None else found.remark)
    return 0


def mean_point(model: imgcodec.Model, pictures: list[RGBPixels], quality: float, tune: str) -> tuple[float, float]:
    """Bits per pixel and PSNR, both as means over the pictures."""
    points = []
    for pixels in pictures:
        data = model.compress(pixels, quality=quality, tune=tune)
        points.append(
            (8 * len(data) / (pixels.shape[0] * pixels.shape[1]), psnr(pixels, np.asarray(model.decompress(data))))
        )
    rate, decibels = np.mean(points, 0)
    return float(rate), float(decibels)


if __name__ == "__main__":
    sys.exit(main())
