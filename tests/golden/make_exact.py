"""Made the golden files of the profile `exact`, and adds new ones; see make.py, whose rules hold here.

    python tests/golden/make_exact.py

    exact.json    how large they are, and the SHA-256 of the samples of each

"exact-blocks" is of tiny.safetensors: a photograph with blocks that its tokens do not show. There are files of both
methods, of all channels, of 12 and 16 bits, of several tiles, of one pixel and of a line.
"""

import hashlib
import json
import sys
from dataclasses import replace

import numpy as np
from make import FOLDER, make_picture
from numpy.typing import NDArray

sys.path.insert(0, str(FOLDER.parent))

from exact.contents import make

from imgcodec.bitstream import container
from imgcodec.bitstream.header import ColourMode
from imgcodec.codec import load_codec, write_tokens
from imgcodec.encoder import encode_picture
from imgcodec.exact.sections import blocks_of
from imgcodec.exact.tile import Method
from imgcodec.pictures.picture import Picture
from imgcodec.profiles.exact.codec import CHANNELS, ExactCodec
from imgcodec.tokens import Tokens

INDEX = FOLDER / "exact.json"


def photograph(left: int, top: int, width: int, height: int, mode: str) -> NDArray[np.uint8]:
    samples = np.asarray(make_picture((left, top, width, height), mode))
    return samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1)


# name: samples, colour mode, bit depth, tile size
FILES: dict[str, tuple[NDArray[np.integer], ColourMode, int, int]] = {
    "exact-photograph": (photograph(420, 250, 150, 130, "RGB"), ColourMode.RGB, 8, 0),
    "exact-alpha": (photograph(50, 350, 90, 70, "RGBA"), ColourMode.RGB_ALPHA, 8, 0),
    "exact-gray": (photograph(350, 150, 33, 65, "L"), ColourMode.GRAY, 8, 0),
    "exact-drawing": (make("checks", (3, 40, 61), 255, 1), ColourMode.RGB, 8, 0),
    "exact-one-bit": (make("two values", (1, 31, 17), 1, 1) * 255, ColourMode.GRAY, 1, 0),
    "exact-12-bits": (make("smooth", (2, 50, 40), 2**12 - 1, 1), ColourMode.GRAY_ALPHA, 12, 0),
    "exact-16-bits": (make("smooth", (4, 70, 64), 2**16 - 1, 1), ColourMode.RGB_ALPHA, 16, 0),
    "exact-tiles": (photograph(100, 100, 150, 130, "RGB"), ColourMode.RGB, 8, 64),
    "exact-one-pixel": (make("noise", (4, 1, 1), 255, 1), ColourMode.RGB_ALPHA, 8, 0),
    "exact-line": (make("smooth", (1, 1, 300), 2**16 - 1, 1), ColourMode.GRAY, 16, 0),
}


BLOCKS = "exact-blocks"


def slide() -> NDArray[np.uint8]:
    """A photograph with a block of dithering in it."""
    pixels = np.asarray(make_picture((250, 180, 140, 130), "RGB")).copy()
    pixels[64:128, :64] = make("two values", (3, 64, 64), 255, 3).transpose(1, 2, 0)
    return pixels


def main() -> None:
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {"files": {}}
    codec = ExactCodec()
    for name, (samples, mode, depth, tile_size) in FILES.items():
        if name in index["files"]:  # golden files are made once
            continue
        channels, height, width = samples.shape
        assert channels == CHANNELS[mode]
        header = replace(codec.header((width, height), None, None, mode, depth), tile_size=tile_size)
        tokens = Tokens(header, [samples.astype(np.uint8 if depth <= 8 else np.uint16)])
        data = write_tokens(codec, tokens)
        (FOLDER / f"{name}.nic").write_bytes(data)
        method = Method(codec.write(tokens)[0].data[0]).name
        index["files"][name] = {"bytes": len(data), "method": method, "samples_sha256": tokens.sha256()}
    if BLOCKS not in index:
        data = encode_picture(load_codec(FOLDER / "tiny.safetensors"), Picture(slide()), 50).data
        (FOLDER / f"{BLOCKS}.nic").write_bytes(data)
        shown = np.stack([block.pixels for block in blocks_of(container.read(data))])
        index[BLOCKS] = {"bytes": len(data), "pixels_sha256": hashlib.sha256(shown.tobytes()).hexdigest()}
    INDEX.write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
