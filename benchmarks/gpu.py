"""How fast a GPU is, where its time goes, and whether its files are those of the CPU. No GPU run of it exists yet.

    python benchmarks/gpu.py kodak/ --device cuda -o benchmarks/results/gpu.json
    python benchmarks/gpu.py kodak/ --device cpu --megapixels 1 --batch 2 -o gpu.json    # to see that it works

Needs `pip install 'imgcodec[bench]'`. Three things, with the model loaded and after a turn of each that does not count:

    large   megapixels per second, both ways, of one photograph of 12 megapixels (put together as in `large.py`)
    batch   the same of 64 pictures of 768 x 512, one after the other: the API has no batches of pictures, so this is
            what a server gets that does not share its GPU among threads
    exact   files written on the device and read on the CPU, and the other way round: are tokens those that were chosen?
            does writing them again give the same bytes? how far are the pixels of the two apart?

A share is the time inside a stage and not inside another one that it calls. The device is waited for wherever one ends
or begins, which takes time of its own: speeds are measured without. `prior` includes copies of tokens and parameters
between the devices; `elsewhere` is the container, and what Pillow does. The exit code is 1 if anything of `exact`
but pixels within one gray level differs.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from types import GeneratorType
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from large import photograph
from machine import describe
from speed import timing

import imgcodec
from imgcodec.bitstream.entropy import RangeCoder, RangeDecoder, RangeEncoder
from imgcodec.cli.bench import find_files
from imgcodec.codec import detokenize, load_codec, read_tokens, tokenize, write_tokens
from imgcodec.metrics.reference import RGBPixels
from imgcodec.pictures import io as image
from imgcodec.priors.photo.rdoq import RDOQuantizer
from imgcodec.profiles.decodable import read_decodable
from imgcodec.profiles.photo import codec as photo
from imgcodec.profiles.raster import codec as raster
from imgcodec.tokens import TokenCodec

SMALL = 512, 768  # rows, columns
QUALITIES = (10.0, 50.0, 90.0)
STAGES: list[tuple[Any, str, str]] = [
    (photo, "analyse", "analysis"),
    (photo, "scale", "quantization"),
    (photo, "code_tile", "prior"),
    (photo, "synthesise", "synthesis"),
    (raster, "encode_windows", "analysis"),
    (raster, "code_tiles", "prior"),
    (raster, "decode_windows", "synthesis"),
    (RDOQuantizer, "quantize", "entropy coder"),
    (RangeEncoder, "code", "entropy coder"),
    (RangeEncoder, "finish", "entropy coder"),
    (RangeDecoder, "code", "entropy coder"),
    (RangeCoder, "code_weights", "entropy coder"),
]
"""Where each stage's functions are looked for when they are called."""


class StageClock:
    """Seconds inside each stage, of one thread. The device is waited for before any reading of the clock."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._wait = wait
        self._inside = ["elsewhere"]
        self._since = 0.0

    def shares(self, work: Callable[[], object]) -> dict[str, float]:
        """Of each stage in `work`, largest first."""
        with ExitStack() as patches:
            for place, name, stage in STAGES:
                patches.enter_context(patch.object(place, name, self._timed(getattr(place, name), stage)))
            self._wait()
            self._since = time.perf_counter()
            work()
            self._turn()
        total = sum(self.seconds.values())
        return {stage: round(s / total, 3) for stage, s in sorted(self.seconds.items(), key=lambda item: -item[1])}

    def _turn(self) -> None:
        """Counts the time since the last turn to the stage that it was spent in."""
        self._wait()
        now = time.perf_counter()
        self.seconds[self._inside[-1]] += now - self._since
        self._since = now

    @contextmanager
    def _in(self, stage: str) -> Iterator[None]:
        self._turn()
        self._inside.append(stage)
        try:
            yield
        finally:
            self._turn()
            self._inside.pop()

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            with self._in(stage):
                result = function(*arguments, **named)
            return self._each(result, stage) if isinstance(result, GeneratorType) else result

        return run

    def _each(self, pieces: Iterator[Any], stage: str) -> Iterator[Any]:
        """Pieces that are computed when they are asked for, by another stage."""
        while True:
            with self._in(stage):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece


def waiting(device: str) -> Callable[[], None]:
    """What returns when the device has done all that it was asked for."""
    if device.startswith("cuda"):
        return lambda: torch.cuda.synchronize(device)
    return torch.mps.synchronize if device == "mps" else lambda: None


def speeds(model: imgcodec.Model, pictures: list[RGBPixels], arguments: argparse.Namespace) -> dict[str, Any]:
    """Both ways, of pictures one after the other. Their sizes are all the same."""
    quality = arguments.quality if model.has_qualities else None
    files = [model.compress(pixels, quality=quality) for pixels in pictures]  # this turn does not count
    model.decompress(files[0])
    pixels = np.concatenate(pictures)  # as many as all of them have
    directions: dict[str, Callable[[], object]] = {
        "encode": lambda: [model.compress(picture, quality=quality) for picture in pictures],
        "decode": lambda: [model.decompress(file) for file in files],
    }
    result: dict[str, Any] = {
        "pictures": len(pictures), "width": pictures[0].shape[1], "height": pictures[0].shape[0],
        "bpp": 8 * sum(map(len, files)) / (pixels.shape[0] * pixels.shape[1]),
    }  # fmt: skip
    for name, work in directions.items():
        # bytes and pixels are in the machine's own memory when these return, so there is nothing more to wait for
        result[name] = timing(work, pixels, arguments.repeat)
        result[name]["share_by_stage"] = StageClock(waiting(arguments.device)).shares(work)
    return result


def exactness(here: TokenCodec, there: TokenCodec, pictures: list[RGBPixels]) -> dict[str, Any]:
    """Files of one device on the other: `here` is the device under test, `there` the CPU."""
    other_tokens, other_bytes, same_file, difference, count = 0, 0, 0, 0, 0
    for pixels in pictures:
        for quality in QUALITIES if here.has_qualities else (None,):
            files = []
            for writer, reader in ((here, there), (there, here)):
                chosen = tokenize(writer, pixels, quality)
                files.append(write_tokens(writer, chosen))
                read = read_tokens(reader, read_decodable(files[-1]))
                other_tokens += read.sha256() != chosen.sha256()
                other_bytes += write_tokens(reader, read) != files[-1]
                apart = detokenize(reader, read).astype(np.int16) - detokenize(writer, chosen)
                difference = max(difference, int(np.abs(apart).max()))
                count += 1
            same_file += files[0] == files[1]  # may differ: what is left of the tokens is float
    return {
        "files": count,
        "wrong_tokens": other_tokens,
        "other_bytes": other_bytes,
        "largest_pixel_difference": difference,
        "pictures_and_qualities_with_the_same_file_from_both": same_file,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="photo")
    parser.add_argument("--quality", type=float, default=50)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--count", type=int, default=3, help="pictures to exchange with the CPU, besides the large one")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()

    files = find_files(arguments.folder)
    large = photograph(files, arguments.megapixels)
    rows, columns = SMALL
    loaded = [image.load(path).pixels for path in files]
    fitting = [pixels[:rows, :columns] for pixels in loaded if pixels.shape[0] >= rows and pixels.shape[1] >= columns]
    if not fitting:
        sys.exit(f"No picture there has {columns} x {rows} pixels.")
    model = imgcodec.load_model(arguments.model, device=arguments.device)
    result: dict[str, Any] = {**describe(), "model": arguments.model, "device": arguments.device}
    result["large"] = speeds(model, [large], arguments)
    result["batch"] = speeds(model, [fitting[i % len(fitting)] for i in range(arguments.batch)], arguments)
    if arguments.device.startswith("cuda"):
        result["peak_device_memory_mib"] = torch.cuda.max_memory_allocated(arguments.device) / 2**20
    here, there = load_codec(arguments.model, arguments.device), load_codec(arguments.model)
    result["exact"] = exactness(here, there, [*fitting[: arguments.count], large])
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    print(json.dumps({name: result[name] for name in ("large", "batch", "exact")}, indent=1))
    exact = result["exact"]
    return int(exact["wrong_tokens"] > 0 or exact["other_bytes"] > 0 or exact["largest_pixel_difference"] > 1)


if __name__ == "__main__":
    sys.exit(main())
