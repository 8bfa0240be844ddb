"""Peak memory of both directions on photographs from 1 to 100 megapixels.

    python benchmarks/memory.py kodak/ -o benchmarks/results/memory.json

The photographs are put together as in `large.py`. Each direction runs once, in a process of its own that is given the
pixels or the file; its peak is that of the whole process, with Python, torch and the model. `base` is a process
that has only loaded the model, `effort` one that encodes with effort 2, for each tune: effort works tile by tile, so
the size of the picture hardly matters.
"""

import argparse
import json
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from large import photograph
from machine import describe
from speed import peak_memory_mib

import imgcodec
from imgcodec.cli.bench import find_files

MEGAPIXELS = (1, 4, 12, 25, 50, 100)
MEGAPIXELS_WITH_EFFORT = 2.5


def base() -> float:
    """MiB with a model loaded and nothing done."""
    imgcodec.load_model()
    return peak_memory_mib()


def encode(files: list[Path], megapixels: float, quality: float, output: Path) -> float:
    """MiB."""
    pixels = photograph(files, megapixels)
    output.write_bytes(imgcodec.compress(pixels, quality=quality))
    return peak_memory_mib()


def encode_with_effort(files: list[Path], quality: float, tune: str) -> float:
    """MiB."""
    imgcodec.compress(photograph(files, MEGAPIXELS_WITH_EFFORT), quality=quality, tune=tune, effort=2)
    return peak_memory_mib()


def decode(file: Path) -> float:
    """MiB."""
    imgcodec.decompress(file.read_bytes())
    return peak_memory_mib()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs to put the large ones together from")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--quality", type=float, default=50)
    arguments = parser.parse_args()

    files, rows = find_files(arguments.folder), []
    with TemporaryDirectory() as folder:
        made = Path(folder) / "large.nic"
        for megapixels in MEGAPIXELS:
            encoding = in_own_process(encode, files, megapixels, arguments.quality, made)
            rows.append({"megapixels": megapixels, "encode_mib": encoding, "decode_mib": in_own_process(decode, made)})
            print(json.dumps(rows[-1]))
    effort = {t: in_own_process(encode_with_effort, files, arguments.quality, t) for t in ("psnr", "visual")}
    result = {
        **describe(), "quality": arguments.quality, "base_mib": in_own_process(base), "peaks": rows,
        "effort": {"megapixels": MEGAPIXELS_WITH_EFFORT, **effort},
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def in_own_process(work, *arguments):  # type: ignore[no-untyped-def]
    """What `work` returns, from a process that has done nothing else."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


if __name__ == "__main__":
    main()
