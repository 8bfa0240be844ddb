"""How far under the whole picture the first part of a file is, and a file of its own of as many bytes.

    python benchmarks/progressive.py PICTURES... -o benchmarks/results/progressive.json

Files are cut behind 25, 50 and 75 % of their bytes and shown as `decompress --allow-partial` does. For each quality the
result has the mean number of bytes and, for each cut, the mean of how many dB (PSNR) the picture is under that of the
whole file; `fresh` is the same for a file that was compressed to that size, which no order of the same tokens can be
expected to reach. Files of under 20,000 bytes are not divided, and are left out.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from machine import describe
from numpy.typing import NDArray

import imgcodec
from imgcodec.metrics.reference import psnr
from imgcodec.pictures import io as image
from imgcodec.profiles.photo.tile_coder import SMALL_FILE

CUTS = (25, 50, 75)  # per cent of the bytes
FRESH = np.arange(0, 101, 10)  # qualities whose sizes and PSNR are interpolated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--quality", default="20,35,50,65,80")
    parser.add_argument("--tune", default="visual")
    parser.add_argument("--model", default="photo")
    arguments = parser.parse_args()
    model = imgcodec.load_model(arguments.model)
    rows: dict[float, list[dict[str, float]]] = defaultdict(list)
    for path in arguments.pictures:
        pixels = image.load(path).pixels
        files = {float(q): model.compress(pixels, quality=float(q), tune=arguments.tune) for q in FRESH}
        sizes = np.array([len(files[q]) for q in FRESH])
        fidelity = np.array([fidelity_of(model, data, pixels) for data in files.values()])
        for quality in map(float, arguments.quality.split(",")):
            data = model.compress(pixels, quality=quality, tune=arguments.tune)
            if len(data) < SMALL_FILE:
                continue
            whole = fidelity_of(model, data, pixels)
            row: dict[str, float] = {"bytes": len(data)}
            for cut in CUTS:
                size = len(data) * cut // 100
                shown = np.asarray(model.recover(data[:size]).image)
                row[f"at {cut} %"] = whole - psnr(pixels, shown)
                row[f"fresh at {cut} %"] = whole - float(np.interp(np.log(size), np.log(sizes), fidelity))
            rows[quality].append(row)
            print(path.name, quality, {name: round(value, 1) for name, value in row.items()}, flush=True)
    table = {
        f"{quality:g}": {
            "files": len(of_one),
            **{k: round(float(np.mean([r[k] for r in of_one])), 2) for k in of_one[0]},
        }
        for quality, of_one in sorted(rows.items())
    }
    result = {**describe(), "model": model.name, "id": model.id.hex(), "tune": arguments.tune, "qualities": table}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def fidelity_of(model: imgcodec.Model, data: bytes, pixels: NDArray[np.uint8]) -> float:
    """PSNR in dB."""
    return float(psnr(pixels, np.asarray(model.decompress(data))))


if __name__ == "__main__":
    main()
