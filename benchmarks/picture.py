"""The picture in the README: a photograph, ours, AVIF and JPEG at the same bytes.

python benchmarks/picture.py examples/photo.png -o docs/photo.png [--quality 65] [--model NAME|PATH]
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import imgcodec
from imgcodec.evaluation.peers import JPEG, Codec, peers_named
from imgcodec.metrics.reference import Reference, RGBPixels

BAND, GAP = 22, 4  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--quality", type=float, default=65)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--box", type=int, nargs=4, default=(180, 60, 564, 316), help="left, top, right, bottom")
    arguments = parser.parse_args()
    pixels = np.asarray(Image.open(arguments.picture).convert("RGB"))
    model = imgcodec.load_model(arguments.model)
    data = model.compress(pixels, quality=arguments.quality)
    reference = Reference(pixels)
    panels = [(pixels, "original"), captioned(reference, "imgcodec", data, np.asarray(model.decompress(data)))]
    (avif,), _ = peers_named(["avif"])
    for name, codec in (("AVIF", avif), ("JPEG", JPEG)):
        file = nearest(codec, pixels, len(data))
        panels.append(captioned(reference, name, file, codec.decompress(file)))
    sheet(panels, arguments.box).save(arguments.output, optimize=True)


def nearest(codec: Codec, pixels: RGBPixels, size: int) -> bytes:
    """The file of a codec that is nearest to a size in bytes, of all its whole qualities; files grow with quality."""
    low, high = 1, 100
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(codec.compress(pixels, middle)) <= size else (low, middle)
    return min((codec.compress(pixels, quality) for quality in (low, high)), key=lambda file: abs(len(file) - size))


def captioned(reference: Reference, name: str, file: bytes, decoded: RGBPixels) -> tuple[RGBPixels, str]:
    """What is decoded, and its figures over all of the picture."""
    scores = reference.score(decoded)
    return decoded, f"{name}, {len(file):,} bytes: SSIMULACRA2 {scores.ssimulacra2:.0f}, {scores.psnr:.1f} dB"


def sheet(panels: list[tuple[RGBPixels, str]], box: tuple[int, int, int, int]) -> Image.Image:
    """A part of four pictures in two rows, each under its caption."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top + BAND
    whole = Image.new("RGB", (2 * width + GAP, 2 * height + GAP), "white")
    for index, (panel, caption) in enumerate(panels):
        row, column = divmod(index, 2)
        x, y = column * (width + GAP), row * (height + GAP)
        whole.paste(Image.fromarray(panel[top:bottom, left:right]), (x, y + BAND))
        ImageDraw.Draw(whole).text((x + 4, y + 4), caption, fill="black", font_size=13)
    return whole


if __name__ == "__main__":
    main()
