"""How much less than the whole picture a part of it takes: seconds of the processor, and bytes read.

    python benchmarks/parts.py [--side 10240] [--output benchmarks/results/parts.json]

The picture is one tile of 1024 x 1024 pixels, of the example photograph, repeated: its tokens are decoded anew in each
tile. Seconds of the processor, so that other work on the machine counts little; the model is loaded before.
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
    arguments.add_argument("--side", type=int, default=10 * TILE)
    arguments.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "parts.json")
    options = arguments.parse_args()
    data, side = made_file(options.side), options.side // 10  # of regions of 1 %
    room = min(side, TILE - 2 * 96)
    random = np.random.default_rng(1)
    places = random.integers(0, options.side - side, (6, 2)).tolist()
    regions = {
        "inside a tile": [(TILE + 96, TILE + 96, room, room)],
        "anywhere": [(x, y, side, side) for x, y in places],
        "a whole tile": [(TILE, TILE, TILE, TILE)],
        "64 x 64 pixels": [(TILE + 500, TILE + 500, 64, 64)],
    }
    measured(data, region=(0, 0, 64, 64))  # the model is loaded
    start = time.process_time()
    Image.MAX_IMAGE_PIXELS = None
    Image.open(io.BytesIO(data)).close()
    result: dict[str, object] = {
        **describe(),
        "pixels": options.side**2,
        "bytes": len(data),
        "sections": len(container.read(data).entries),
        "open_seconds": round(time.process_time() - start, 4),
    }
    for name, members in regions.items():
        found = [measured(data, region=region) for region in members]
        result[name] = {
            "share_of_pixels": round(members[0][2] * members[0][3] / options.side**2, 5),
            "seconds": [each["seconds"] for each in found],
            "bytes": [each["bytes"] for each in found],
        }
    for pixels in (128, 256, 512):
        result[f"thumbnail {pixels}"] = measured(data, thumbnail=pixels)
    print(json.dumps(result, indent=1), flush=True)
    result["whole"] = measured(data)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["whole"]))


if __name__ == "__main__":
    main()
