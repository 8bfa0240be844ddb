"""How much less than the whole picture a part of it takes: seconds of the processor, and bytes read.

    python benchmarks/parts.py [--side 10240] [--output benchmarks/results/parts.json]

The picture is one tile of 1024 x 1024 pixels, of the example photograph, repeated: its tokens are decoded anew in each
tile. Seconds of the processor, so that other work on the machine counts little; the model is loaded before. What a
region takes does not depend on the size of the picture, so its share is told of one of 10240 x 10240 pixels, also where
a smaller one is measured and its seconds multiplied.
"""

import argparse
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import describe
from PIL import Image

import imgcodec
import imgcodec.pillow
from imgcodec.bitstream import container

PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "photo.png"
TILE = 1024
PIXELS = (10 * TILE) ** 2
REGIONS = {  # those of a hundredth of the picture have sides of a tile
    "64 x 64 in a tile": (1500, 1500, 64, 64),
    "832 x 832 in a tile": (TILE + 96, TILE + 96, 832, 832),
    "1024 x 1024 over 4 tiles": (500, 500, TILE, TILE),
    "1024 x 1024 that are a tile": (TILE, TILE, TILE, TILE),
}


class Counted(io.BytesIO):
    """A file of which it is known how many bytes were read."""

    given = 0

    def read(self, count: int | None = -1) -> bytes:
        chunk = super().read(count)
        self.given += len(chunk)
        return chunk


def made_file(side: int) -> bytes:
    """A file of side x side pixels, a multiple of TILE, at quality 50."""
    photograph = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
    mirrored = np.concatenate([photograph, photograph[::-1], photograph], 0)
    tile = np.concatenate([mirrored, mirrored[:, ::-1]], 1)[:TILE, :TILE]
    one = container.read(imgcodec.compress(np.ascontiguousarray(tile), quality=50))
    header = replace(one.header, width=side, height=side, tile_size=TILE)
    tokens = [replace(section, tile=index) for section in one.sections for index in range(header.tile_count)]
    return container.write(header, tokens)


def measured(data: bytes, **part: object) -> dict[str, float]:
    """Seconds and bytes of a part, or of the whole."""
    file = Counted(data)
    start = time.process_time()
    imgcodec.decompress(file, **part)
    return {"seconds": round(time.process_time() - start, 3), "bytes": file.given}


def main() -> None:
    arguments = argparse.ArgumentParser(description="Time parts of a large picture.")
    arguments.add_argument("--side", type=int, default=10 * TILE, help="pixels; a multiple of 1024, from 3072 on")
    arguments.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "parts.json")
    options = arguments.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    data = made_file(options.side)
    measured(data, region=(0, 0, 64, 64))  # the model is loaded
    start = time.process_time()
    Image.open(io.BytesIO(data)).close()
    opened = time.process_time() - start
    whole = measured(data)
    seconds_of_100 = whole["seconds"] * PIXELS / options.side**2  # tiles are alike, and cost the same
    result: dict[str, object] = {
        **describe(),
        "pixels": options.side**2,
        "bytes": len(data),
        "sections": len(container.read(data).entries),
        "open_seconds": round(opened, 4),
        "whole": whole,
        "whole_seconds_for_100_MP": round(seconds_of_100, 1),
    }
    for name, region in REGIONS.items():
        found = measured(data, region=region)
        shares = {"share_of_100_MP": region[2] * region[3] / PIXELS, "share_of_time": found["seconds"] / seconds_of_100}
        result[name] = {**found, **{name: round(share, 5) for name, share in shares.items()}}
    for pixels in (options.side // 64, options.side // 16, options.side // 8):
        found = measured(data, thumbnail=pixels)
        share = found["seconds"] / whole["seconds"]
        result[f"thumbnail, 1/{options.side // pixels}"] = {**found, "share_of_time": round(share, 5)}
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
