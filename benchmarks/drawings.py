"""Drawings at several qualities: bytes, PSNR, how they are coded, and a strip of crops, for docs/pictures.md.

    python benchmarks/drawings.py hard/ -o benchmarks/results/drawings.json --page docs/pictures.md [--model NAME|PATH]

Each picture is compressed with the model as `compress` does it and with `--no-exact`; WebP is the smallest lossless
one of Pillow. The strips (`drawing-NAME.png` beside the page) show a crop of the original, and of what `--no-exact`
and `compress` make of it at quality 50.
"""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe  # lies beside this file
from numpy.typing import NDArray
from PIL import Image

import imgcodec

BEGIN, END = "<!-- drawings -->", "<!-- end of drawings -->"
QUALITIES = (10, 50, 75, 95)
SHOWN = 50
CROPS = {  # left, top, width, height, and how many times larger it is shown
    "14_pixel_art_x1.png": (0, 0, 96, 72, 3),
    "20_chessboards.png": (104, 24, 96, 72, 3),
    "03_document_text.png": (120, 120, 192, 144, 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--page", type=Path, help="Markdown to put the table into, and the strips beside")
    arguments = parser.parse_args()
    model = imgcodec.load_model(arguments.model)
    pictures = []
    for name, crop in CROPS.items():
        with Image.open(arguments.folder / name) as opened:
            image = opened.convert("RGB")
        made = measure(model, image)
        pictures.append({"file": name, "webp": webp_bytes(image), "qualities": [row for row, _ in made]})
        if arguments.page:
            shown = made[QUALITIES.index(SHOWN)][1]
            strip([np.asarray(image), *shown], crop).save(strip_path(arguments.page, name), optimize=True)
    report = {**describe(), "model": model.name, "pictures": pictures}
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    lines = table(pictures)
    if arguments.page:
        before, _, rest = arguments.page.read_text().partition(BEGIN)
        arguments.page.write_text(before + "\n".join([BEGIN, "", *lines, END]) + rest.partition(END)[2])
    print("\n".join(lines))


def measure(model: imgcodec.Model, image: Image.Image) -> list[tuple[dict[str, Any], list[NDArray[np.uint8]]]]:
    """For each quality a row, and what `--no-exact` and `compress` decode to."""
    found = []
    for quality in QUALITIES:
        files = [model.compress(image, quality=quality, exact=exact) for exact in (False, True)]
        shown = [np.asarray(model.decompress(data).convert("RGB")) for data in files]
        info = imgcodec.info(files[1])
        kind = "all" if info.lossless else "blocks" if any(s.name == "exact" for s in info.sections) else "none"
        errors = [float(np.square(np.asarray(image, np.int32) - pixels).mean()) for pixels in shown]
        psnr = [None if error == 0 else round(float(10 * np.log10(255**2 / error)), 2) for error in errors]
        sizes = [len(data) for data in files]
        row = {"quality": quality, "bytes": sizes[1], "psnr": psnr[1], "exact": kind}
        found.append((row | {"no_exact_bytes": sizes[0], "no_exact_psnr": psnr[0]}, shown))
    return found


def webp_bytes(image: Image.Image) -> int:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, quality=100, method=6)
    return len(buffer.getvalue())


def strip(pictures: list[NDArray[np.uint8]], crop: tuple[int, int, int, int, int]) -> Image.Image:
    """The crop of each, side by side with a gap."""
    left, top, width, height, scale = crop
    gap = np.full((scale * height, 8, 3), 255, np.uint8)
    parts = [pixels[top : top + height, left : left + width] for pixels in pictures]
    large = [part.repeat(scale, axis=0).repeat(scale, axis=1) for part in parts]
    return Image.fromarray(np.concatenate([large[0], gap, large[1], gap, large[2]], axis=1)).quantize(64)


def strip_path(page: Path, name: str) -> Path:
    return page.parent / f"drawing-{Path(name).stem[3:].replace('_', '-')}.png"


def table(pictures: list[dict[str, Any]]) -> list[str]:
    """Of all pictures, and the strips."""
    lines = []
    for picture in pictures:
        path = strip_path(Path("x.md"), picture["file"])
        lines += [f"`{picture['file']}`, {picture['webp']} bytes as lossless WebP; at quality {SHOWN}:", ""]
        lines += [f"![The original, all by the model, and as compress makes it]({path})", ""]
        lines += ["| quality | `--no-exact` | | `compress` | | exact |", "| --- | --- | --- | --- | --- | --- |"]
        for row in picture["qualities"]:
            cells = [decibels(row["no_exact_psnr"]), decibels(row["psnr"])]
            lines.append(
                f"| {row['quality']} | {row['no_exact_bytes']} bytes | {cells[0]} | {row['bytes']} bytes | {cells[1]} "
                f"| {row['exact']} |"
            )
        lines.append("")
    return lines


def decibels(value: float | None) -> str:
    return "equal" if value is None else f"{value} dB"


if __name__ == "__main__":
    main()
