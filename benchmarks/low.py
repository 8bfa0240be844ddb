"""The lowest rates: models beside AVIF, and beside AVIF of a picture that is halved before and enlarged again after.

    python benchmarks/low.py kodak/ photo bsq runs/tiny/tiny.safetensors -o benchmarks/results/low.json

Every codec with qualities makes the largest file of at most `--bpp` bits per pixel, or its smallest one where that is
larger. Models of one rate have that rate. Figures are means over the pictures.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import describe
from PIL import Image

import imgcodec
from imgcodec.cli.bench import find_files
from imgcodec.evaluation.peers import avif, decode
from imgcodec.metrics.reference import MsSsim, RGBPixels, psnr, to_db
from imgcodec.metrics.ssimulacra2 import Ssimulacra2
from imgcodec.pictures import io as image

Coded = tuple[int, RGBPixels]  # bytes of the file, and the picture that it shows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a name, or a .safetensors file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--bpp", type=float, default=0.08)
    arguments = parser.parse_args()

    pictures = [image.load(path).pixels for path in find_files(arguments.folder)]
    codecs: dict[str, Callable[[RGBPixels, int], Coded]] = {"avif": avif_within, "avif, halved": halved_avif_within}
    for name_or_path in arguments.models:
        model = imgcodec.load_model(name_or_path)
        codecs[model.name] = ours(model)
    result = {**describe(), "pictures": len(pictures), "bpp": arguments.bpp, "codecs": {}}
    print(f"{'':30}{'bpp':>8}{'PSNR':>8}{'MS-SSIM':>9}{'SSIMULACRA2':>13}")
    for name, codec in codecs.items():
        rows = [measure(codec, pixels, arguments.bpp) for pixels in pictures]
        bpp, decibels, structure, seen = np.mean(rows, 0).tolist()
        structure = to_db(structure)
        result["codecs"][name] = {"bpp": bpp, "psnr": decibels, "ms_ssim_db": structure, "ssimulacra2": seen}
        print(f"{name[-30:]:30}{bpp:8.4f}{decibels:8.2f}{structure:9.2f}{seen:13.2f}", flush=True)
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return 0


def measure(
    codec: Callable[[RGBPixels, int], Coded], pixels: RGBPixels, bpp: float
) -> tuple[float, float, float, float]:
    """Bits per pixel, PSNR, MS-SSIM (0..1) and SSIMULACRA2 of one picture."""
    area = pixels.shape[0] * pixels.shape[1]
    size, back = codec(pixels, int(bpp * area / 8))
    return 8 * size / area, psnr(pixels, back), MsSsim(pixels)(back), Ssimulacra2(pixels)(back)


def avif_within(pixels: RGBPixels, most: int) -> Coded:
    """By bisection: files grow with quality."""
    low, high = 0, 101
    data = avif(pixels, low)
    while high - low > 1:
        middle = (low + high) // 2
        tried = avif(pixels, middle)
        low, high, data = (middle, high, tried) if len(tried) <= most else (low, middle, data)
    return len(data), decode(data)


def halved_avif_within(pixels: RGBPixels, most: int) -> Coded:
    """Lanczos both ways."""
    height, width = pixels.shape[:2]
    whole = Image.fromarray(pixels)
    small = np.asarray(whole.resize((-(-width // 2), -(-height // 2)), Image.Resampling.LANCZOS))
    size, back = avif_within(small, most)
    return size, np.asarray(Image.fromarray(back).resize((width, height), Image.Resampling.LANCZOS))


def ours(model: imgcodec.Model) -> Callable[[RGBPixels, int], Coded]:
    """Of the default tune."""

    def code(pixels: RGBPixels, most: int) -> Coded:
        data = model.compress(pixels, quality=0) if model.has_qualities else model.compress(pixels)
        if model.has_qualities and len(data) <= most:
            data = model.compress(pixels, target_size=most)
        return len(data), np.asarray(model.decompress(data))

    return code


if __name__ == "__main__":
    sys.exit(main())
