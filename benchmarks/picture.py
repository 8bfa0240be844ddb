"""The picture in the README: a photograph, ours and JPEG at the same bytes.

python benchmarks/picture.py examples/photo.png -o docs/photo.png [--quality 28] [--model NAME|PATH]
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import imgcodec
from imgcodec.evaluation.peers import JPEG
from imgcodec.metrics.reference import psnr

BAND = 22


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--quality", type=float, default=28)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--box", type=int, nargs=4, default=(180, 60, 564, 316), help="left, top, right, bottom")
    arguments = parser.parse_args()
    pixels = np.asarray(Image.open(arguments.picture).convert("RGB"))
    model = imgcodec.load_model(arguments.model)
    data = model.compress(pixels, quality=arguments.quality)
    ours = np.asarray(model.decompress(data))
    jpeg = min((JPEG.compress(pixels, q) for q in range(1, 96)), key=lambda d: abs(len(d) - len(data)))
    theirs = np.asarray(Image.open(io.BytesIO(jpeg)))
    panels = [
        (pixels, "original"),
        (ours, f"imgcodec, {len(data)} bytes, {psnr(pixels, ours):.1f} dB"),
        (theirs, f"JPEG, {len(jpeg)} bytes, {psnr(pixels, theirs):.1f} dB"),
    ]
    left, top, right, bottom = arguments.box
    width, height = right - left, bottom - top
    sheet = Image.new("RGB", (len(panels) * (width + 4) - 4, height + BAND), "white")
    for index, (panel, caption) in enumerate(panels):
        x = index * (width + 4)
        sheet.paste(Image.fromarray(panel[top:bottom, left:right]), (x, BAND))
        ImageDraw.Draw(sheet).text((x + 4, 5), caption, fill="black", font_size=12)
    sheet.save(arguments.output, optimize=True)


if __name__ == "__main__":
    main()
