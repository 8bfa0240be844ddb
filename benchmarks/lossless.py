"""Lossless files against PNG, lossless WebP, and a gradient predictor with zstandard: bytes, and megapixels a second.

    python benchmarks/lossless.py kodak/ dev/ hard/ --screens -o benchmarks/results/lossless.json [--quality 75]

Pictures are taken as RGB of 8 bits, without metadata, or with alpha where they have any. PNG and WebP are those of
Pillow: optimised, with a palette where there is room for one, and method 4, quality 80. With --quality also what
`compress` makes of each picture at that quality, which may be exact: its bytes, and its PSNR. Speed is in seconds of
the processor, one thread. --screens: the thirty drawn ones of the tests.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from machine import describe  # lies beside this file
from numpy.typing import NDArray
from PIL import Image

import imgcodec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from drawn_screens import COUNT, screen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--screens", action="store_true")
    parser.add_argument("--quality", type=float, help="also `compress` at this quality, with the model photo")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    model = None if arguments.quality is None else imgcodec.load_model("photo")
    rows = []
    for group, name, image in pictures(arguments.folders, arguments.screens):
        row = {"set": group, "file": name, **measure(image)}
        if model is not None:
            row |= at_quality(model, image, arguments.quality)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
    report = {**describe(), "quality": arguments.quality, "sets": totals(rows), "pictures": rows}
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report["sets"], indent=1))


def pictures(folders: list[Path], screens: bool) -> Iterator[tuple[str, str, Image.Image]]:
    """Set, name and image, RGB or RGBA of 8 bits."""
    for folder in folders:
        for path in sorted(folder.iterdir()):
            try:
                with Image.open(path) as opened:
                    opened.load()
                    shown = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
                    yield folder.name, path.name, Image.fromarray(np.asarray(shown))  # not turned by its EXIF
            except (OSError, SyntaxError) as error:
                print(f"{path}: {error}", file=sys.stderr)
    for seed in range(COUNT if screens else 0):
        yield "screens", f"screen {seed}", screen(seed)


def measure(image: Image.Image) -> dict[str, Any]:
    start = time.process_time()
    data = imgcodec.compress(image, lossless=True)
    encoded = time.process_time()
    back = imgcodec.decompress(data)
    decoded = time.process_time()
    assert np.array_equal(np.asarray(back.convert(image.mode)), np.asarray(image))
    webp = io.BytesIO()
    image.save(webp, "WEBP", lossless=True, exact=True, method=4, quality=80)
    return {
        "pixels": image.width * image.height,
        "ours": len(data),
        "webp": len(webp.getvalue()),
        "png": png_bytes(image),
        "gradient": gradient_bytes(np.asarray(image)),
        "encode_seconds": round(encoded - start, 4),
        "decode_seconds": round(decoded - encoded, 4),
    }


def png_bytes(image: Image.Image) -> int:
    sizes = []
    colours = image.getcolors(256) if image.mode == "RGB" else None
    for form in [image, *([image.quantize(len(colours))] if colours else [])]:
        buffer = io.BytesIO()
        form.save(buffer, "PNG", optimize=True)
        sizes.append(len(buffer.getvalue()))
    return min(sizes)


def gradient_bytes(pixels: NDArray[np.uint8]) -> int:
    """The median of left, above and their gradient as prediction (LOCO-I), of G, R - G, B - G, by zstandard 19."""
    planes = pixels.astype(np.int16)
    planes[..., 0] -= planes[..., 1]
    planes[..., 2] -= planes[..., 1]
    around = np.pad(planes, ((1, 0), (1, 0), (0, 0)))
    left, above, corner = around[1:, :-1], around[:-1, 1:], around[:-1, :-1]
    low, high = np.minimum(left, above), np.maximum(left, above)
    errors = (planes - np.clip(left + above - corner, low, high)).astype(np.uint8)
    return len(zstandard.ZstdCompressor(level=19).compress(np.ascontiguousarray(errors.transpose(2, 0, 1)).tobytes()))


def at_quality(model: imgcodec.Model, image: Image.Image, quality: float) -> dict[str, Any]:
    data = model.compress(image, quality=quality)
    info = imgcodec.info(data)
    error = np.square(
        np.asarray(image.convert("RGB"), float) - np.asarray(model.decompress(data).convert("RGB"))
    ).mean()
    exact = "all" if info.lossless else "blocks" if any(s.name == "exact" for s in info.sections) else "none"
    return {"bytes": len(data), "exact": exact, "psnr": round(float(-10 * np.log10(max(error, 1e-9) / 255**2)), 2)}


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each set: bytes against WebP and PNG, and the speed."""
    found = {}
    for group in dict.fromkeys(row["set"] for row in rows):
        of = [row for row in rows if row["set"] == group]

        def total(key: str, of: list[dict[str, Any]] = of) -> float:
            return sum(row[key] for row in of)

        found[group] = {
            "pictures": len(of),
            "ours": total("ours"),
            **{f"of_{other}": round(total("ours") / total(other), 4) for other in ("webp", "png", "gradient")},
            "worst_of_smaller": round(max(row["ours"] / min(row["webp"], row["png"]) for row in of), 3),
            "encode_mp_per_second": round(total("pixels") / 1e6 / total("encode_seconds"), 2),
            "decode_mp_per_second": round(total("pixels") / 1e6 / total("decode_seconds"), 2),
        }
        if "bytes" in of[0]:
            found[group]["bytes_of_smaller"] = round(
                total("bytes") / sum(min(row["webp"], row["png"]) for row in of), 4
            )
            found[group]["worst_bytes_of_smaller"] = round(
                max(row["bytes"] / min(row["webp"], row["png"]) for row in of), 3
            )
            found[group]["exact"] = {
                kind: sum(row["exact"] == kind for row in of) for kind in ("all", "blocks", "none")
            }
    return found


if __name__ == "__main__":
    main()
