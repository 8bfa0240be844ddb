"""The cost of tiles, and whether they are visible: the same pictures with tiles and as one tile.

    python benchmarks/seams.py kodak/ --count 6 --large photographs/ -o benchmarks/results/seams.json

Pictures of the first folder get tiles of 256 pixels, a harsher case than any file of ours: at 1024 each is one tile.
Of those in `--large` a photograph of 12 megapixels is made (as in `speed.py`) that gets tiles of 1024, as always.

For each picture and quality: bytes of the whole file with tiles, over those without, and the same of what the coder
wrote (the rest is the frames of sections); PSNR with tiles, less that without; and at the borders of tiles, compared
with everywhere else, with tiles and at the same positions without them:

    mse     mean squared error within 8 pixels of a border, over that elsewhere: what tiles cost the pixels beside them
    step    mean squared difference of the error from one side of a border to the other, over that between any other two
            neighbours: visible as an edge that the picture does not have

Detail varies over a picture, so these two are to be compared with those without tiles.
One tile of 12 megapixels is over the limit of what decoders accept, so nothing is read back here: tokens are
synthesised as the encoder chose them.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from large import photograph
from machine import describe
from numpy.typing import NDArray

from imgcodec.bitstream import container
from imgcodec.cli.bench import find_files
from imgcodec.codec import detokenize, header_of, load_codec
from imgcodec.metrics.reference import RGBPixels, psnr
from imgcodec.pictures import io as image
from imgcodec.pictures.picture import Picture
from imgcodec.priors.integer.exact import exact_arithmetic
from imgcodec.profiles.photo import codec as photo
from imgcodec.tokens import TokenCodec

NEAR = 8  # pixels
HARSH = 256  # pixels, side of the tiles that small pictures get


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures to cut into tiles")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    parser.add_argument("--count", type=int, help="how many of them, all unless told otherwise")
    parser.add_argument("--tile", type=int, default=HARSH, help="side of their tiles in pixels, a multiple of 64")
    parser.add_argument("--large", type=Path, help="photographs to put a large one together from")
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--quality", default="20,50,80")
    parser.add_argument("--model", default="photo")
    arguments = parser.parse_args()

    codec = load_codec(arguments.model)
    qualities = [float(quality) for quality in arguments.quality.split(",")]
    result: dict[str, Any] = {**describe(), "model": arguments.model, "near": NEAR}
    harsh = []
    for path in find_files(arguments.folder)[: arguments.count]:
        harsh += measure(codec, path.name, image.load(path).pixels, arguments.tile, qualities)
    result["small"] = {"tile_size": arguments.tile, **summary(harsh), "rows": harsh}
    if arguments.large:
        pixels = photograph(find_files(arguments.large), arguments.megapixels)
        rows = measure(codec, f"{pixels.shape[1]}x{pixels.shape[0]}", pixels, photo.TILE_SIZE, qualities)
        result["large"] = {"tile_size": photo.TILE_SIZE, **summary(rows), "rows": rows}
    arguments.output.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    for name in ("small", "large"):
        if name in result:
            print(name, json.dumps({k: v for k, v in result[name].items() if k != "rows"}, indent=1))


def measure(
    codec: TokenCodec, name: str, pixels: RGBPixels, tile_size: int, qualities: list[float]
) -> list[dict[str, Any]]:
    """A row for each quality."""
    with exact_arithmetic():
        analysis = list(codec.analyse(pixels))  # it knows no tiles, and no quality
    rows = []
    for quality in qualities:
        plain = header_of(codec, Picture(pixels), quality)
        sizes, coded, errors = [], [], []
        for side in (tile_size, 0):
            tokens, sections = codec.encode(replace(plain, tile_size=side), analysis, pixels, effort=1)
            sizes.append(len(container.write(tokens.header, sections)))
            coded.append(sum(len(section.data) for section in sections))
            errors.append(pixels.astype(np.int16) - detokenize(codec, tokens))
        decibels = [psnr(pixels, (pixels - error).astype(np.uint8)) for error in errors]
        rows.append({
            "picture": name,
            "quality": quality,
            "tiles": replace(plain, tile_size=tile_size).tile_count,
            "bpp": 8 * sizes[0] / (pixels.shape[0] * pixels.shape[1]),
            "bytes_ratio": sizes[0] / sizes[1],
            "coded_bytes_ratio": coded[0] / coded[1],
            "psnr": decibels[0],
            "psnr_difference": decibels[0] - decibels[1],
            "with_tiles": at_borders(errors[0], tile_size),
            "without": at_borders(errors[1], tile_size),
        })  # fmt: skip
        print(json.dumps(rows[-1]))
    return rows


def at_borders(error: NDArray[np.int16], tile_size: int) -> dict[str, float] | None:
    """`mse` and `step` (see above) of an error (H, W, 3); None for a picture of one tile."""
    height, width = error.shape[:2]
    down, across = (range(tile_size, length, tile_size) for length in (height, width))
    if not down and not across:
        return None
    near = np.zeros((height, width), bool)
    for y in down:
        near[y - NEAR : y + NEAR] = True
    for x in across:
        near[:, x - NEAR : x + NEAR] = True
    squared = np.square(error.astype(np.float32)).mean(2)
    step_down = np.square(np.diff(error.astype(np.float32), axis=0)).mean((1, 2))  # [y - 1]: from row y - 1 to row y
    step_across = np.square(np.diff(error.astype(np.float32), axis=1)).mean((0, 2))
    return {
        "mse": float(squared[near].mean() / squared[~near].mean()),
        "step": _over_others([(step_down, down), (step_across, across)]),
    }


def _over_others(steps: list[tuple[NDArray[np.float32], range]]) -> float:
    """The mean of both directions' borders over the mean of what lies between; each line of a picture counts once."""
    borders = np.concatenate([of_all[[place - 1 for place in places]] for of_all, places in steps])
    others = np.concatenate([np.delete(of_all, [place - 1 for place in places]) for of_all, places in steps if places])
    return float(borders.mean() / others.mean())


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Of all rows that have tiles, the mean and what is furthest from no difference."""
    tiled = [row for row in rows if row["tiles"] > 1]
    if not tiled:
        return {}
    percents = [100 * (row["bytes_ratio"] - 1) for row in tiled]
    coded = [100 * (row["coded_bytes_ratio"] - 1) for row in tiled]
    differences = [row["psnr_difference"] for row in tiled]
    return {
        "bytes_percent_mean": float(np.mean(percents)),
        "bytes_percent_furthest": max(percents, key=abs),
        "coded_bytes_percent_mean": float(np.mean(coded)),
        "coded_bytes_percent_furthest": max(coded, key=abs),
        "psnr_difference_mean": float(np.mean(differences)),
        "psnr_difference_furthest": max(differences, key=abs),
        **{
            f"{what}_{where}": float(np.mean([row[where][what] for row in tiled]))
            for what in ("mse", "step")
            for where in ("with_tiles", "without")
        },
    }


if __name__ == "__main__":
    main()
