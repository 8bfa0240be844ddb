"""Models side by side on the same pictures: what is exact, what a token costs, and what JPEG would take.

    python benchmarks/pairs.py kodak/ photo recipes/*.safetensors -o benchmarks/results/pairs.json

Every model, a name or a file, compresses and decompresses the first three pictures of the folder. For each:

    exact           the file decodes to the tokens that were chosen, and writing those again gives the same file
    bpp, psnr       of the whole file
    seconds         each way, the model loaded; the first picture of a model is coded twice, the first time not counted
    order_0         the cost of the tokens if each were coded by its frequency in this picture and stage (for `photo`:
                    in this group of it), without the bits of the frequencies themselves; in bits per pixel
    under_order_0   by how much the real file is smaller than that, in percent; a prior should reach 10
    jpeg            the JPEG file whose PSNR is nearest, its bits per pixel, and ours over its; none out of JPEG's range

Order 0 is too low for small pictures: the more codes there are, the more frequencies it would have to send.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from numpy.typing import NDArray

import imgcodec
from imgcodec.cli.bench import find_files
from imgcodec.codec import load_codec, tokenize
from imgcodec.evaluation.peers import JpegMatcher
from imgcodec.metrics.reference import RGBPixels, psnr
from imgcodec.pictures import io as image
from imgcodec.tokens import Stages, TokenCodec


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a name, or a .safetensors file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--count", type=int, default=3, help="how many pictures")
    parser.add_argument("--quality", type=float, default=50, help="of models that have qualities")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    paths = find_files(arguments.folder)[: arguments.count]
    pictures = {path.name: image.load(path).pixels for path in paths}
    matchers = {name: JpegMatcher(pixels) for name, pixels in pictures.items()}
    result: dict[str, Any] = {**describe(), "device": arguments.device, "models": {}}
    for name_or_path in arguments.models:
        codec = load_codec(name_or_path, arguments.device)
        model = imgcodec.Model(codec)
        quality = arguments.quality if model.has_qualities else None
        model.decompress(model.compress(next(iter(pictures.values())), quality=quality))
        rows = {name: measure(codec, pixels, quality, matchers[name]) for name, pixels in pictures.items()}
        result["models"][name_or_path] = {"id": model.id.hex(), "quality": quality, **means(rows), "pictures": rows}
        print(name_or_path, json.dumps(means(rows)))
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return int(not all(model["exact"] for model in result["models"].values()))


def measure(codec: TokenCodec, pixels: RGBPixels, quality: float | None, matcher: JpegMatcher) -> dict[str, Any]:
    """One picture."""
    model = imgcodec.Model(codec)
    area = pixels.shape[0] * pixels.shape[1]
    start = time.perf_counter()
    data = model.compress(pixels, quality=quality)
    middle = time.perf_counter()
    back = np.asarray(model.decompress(data))
    end = time.perf_counter()
    tokens, read = tokenize(codec, pixels, quality), model.read_tokens(data)
    ideal = sum(order_0_bits(stage) for stage in read.stages) / area
    bpp, decibels = 8 * len(data) / area, psnr(pixels, back)
    match = matcher.nearest(decibels)
    return {
        "exact": read.sha256() == tokens.sha256() and model.write_tokens(read) == data,
        "bytes": len(data),
        "bpp": bpp,
        "psnr": decibels,
        "compress_seconds": middle - start,
        "decompress_seconds": end - middle,
        "tokens": sum(stage.size for stage in read.stages),
        "codes_used": codes_used(read.stages),
        "order_0_bpp": ideal,
        "under_order_0_percent": 100 * (1 - bpp / ideal) if ideal else None,
        "jpeg": None if match is None else {
            "quality": match.quality,
            "psnr": match.psnr,
            "bpp": 8 * match.bytes / area,
            "ours_over_jpeg": len(data) / match.bytes,
        },
    }  # fmt: skip


def order_0_bits(stage: NDArray[np.integer]) -> float:
    """Tokens (groups, rows, columns) -> bits of all of them by how often each comes in its group."""
    total = 0.0
    for group in stage:
        counts = np.unique(group, return_counts=True)[1]
        total += float((counts * np.log2(group.size / counts)).sum())
    return total


def codes_used(stages: Stages) -> list[int]:
    """How many different tokens each stage has."""
    return [len(np.unique(stage)) for stage in stages]


def means(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Over the pictures; `exact` is whether all of them are."""
    keys = ("bpp", "psnr", "compress_seconds", "decompress_seconds", "order_0_bpp")
    mean = {key: float(np.mean([row[key] for row in rows.values()])) for key in keys}
    ratios = [row["jpeg"]["ours_over_jpeg"] for row in rows.values() if row["jpeg"]]
    return {
        "exact": all(row["exact"] for row in rows.values()),
        **mean,
        "under_order_0_percent": 100 * (1 - mean["bpp"] / mean["order_0_bpp"]) if mean["order_0_bpp"] else None,
        "ours_over_jpeg": float(np.mean(ratios)) if ratios else None,
    }


if __name__ == "__main__":
    sys.exit(main())
