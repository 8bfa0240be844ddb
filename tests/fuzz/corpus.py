"""What the fuzzers start from: every profile and feature of the format, in small."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from exact.contents import CONTENTS, make
from fuzz.structure import EXIF, XMP, Part, Parts, put_together, take_apart
from fuzz.targets import DEPTHS

from imgcodec.bitstream.cursor import varint
from imgcodec.bitstream.payload import pack_bytes
from imgcodec.exact import blocks, predicted, vp8l

GOLDEN = Path(__file__).parents[1] / "golden"
TILE, STAGES, CODEC = 4, 5, 1  # positions in `Parts.fields`
OTHER_PROFILES = range(2, 8)  # numbers that are not given away are refused with the header


def seeds() -> Iterator[tuple[str, bytes]]:
    """Names and bytes: the golden files that are whole, and relatives of them with what those do not have."""
    for path in sorted(GOLDEN.glob("*.nic")):
        if not path.stem.endswith("-damaged"):
            yield path.stem, path.read_bytes()
    plain = take_apart((GOLDEN / "odd-size.nic").read_bytes())
    metadata = tuple(Part(kind, 0, 0, pack_bytes(data)) for kind, data in ((129, EXIF), (130, XMP)))
    yield "metadata", put_together(_with(plain, Part(128, 0, 0, pack_bytes(bytes(range(200)))), *metadata))
    yield "alpha-and-metadata", put_together(_with(plain, Part(2, 0, 0, pack_bytes(bytes(100 * 75))), *metadata))
    yield "density", put_together(_with(plain, Part(131, 0, 0, varint(11811) + varint(11811))))
    yield "unknown-optional", put_together(_with(plain, Part(200, 7, 9, b"of tomorrow")))
    yield "unknown-critical", put_together(_with(plain, Part(100, 0, 0, b"")))
    yield "four-tiles", put_together(_tiled(plain))
    yield "empty-tokens", put_together(replace(plain, sections=tuple(replace(s, data=b"") for s in plain.sections)))
    for number in OTHER_PROFILES:
        yield f"profile-{number}", put_together(_field(plain, CODEC, number << 4))
    yield "no-stages", put_together(replace(_field(plain, STAGES, 0), sections=plain.sections[-1:]))


def exact_seeds() -> Iterator[tuple[str, bytes]]:
    """For the target of exact pixels: samples of all kinds, channels and depths, and blocks, each by both methods. They
    lie in the middle half of their range, or one changed byte would put hundreds of them out of it."""
    for number, (content, shape) in enumerate(product(CONTENTS, ((1, 9, 130), (2, 40, 31), (3, 33, 40), (4, 12, 20)))):
        for at, depth in enumerate(DEPTHS):
            whole = 2 ** max(8, depth)
            samples = whole // 4 + make(content, shape, whole // 2 - 1, number)
            samples = samples.astype(np.uint8 if depth <= 8 else np.uint16)
            kind = shape[0] - 1 + 4 * at
            rules = bytes([shape[1] - 1, shape[2] - 1, kind, 1])
            yield f"{content}-{shape[0]}-{depth}", rules + b"\1" + predicted.encode(samples)
            if depth == 8:
                yield f"{content}-{shape[0]}-drawn", rules + b"\0" + vp8l.encode(samples)
    for content in CONTENTS:
        pixels = make(content, (3, 130, 70), 255, 1).astype(np.uint8).transpose(1, 2, 0)
        chosen = np.array([[True, False], [False, True], [False, False]])
        yield f"{content}-blocks", bytes([129, 69, 2 + 4 + 16, 1]) + blocks.write(pixels, chosen)


def _with(parts: Parts, *sections: Part) -> Parts:
    *tokens, end = parts.sections
    return replace(parts, sections=(*tokens, *sections, end))


def _tiled(parts: Parts) -> Parts:
    """Tiles of 64 x 64 pixels, whose tokens are those of the whole picture: nonsense that decodes."""
    coarse, fine, end = parts.sections
    sections = [replace(stage, tile=tile) for stage in (coarse, fine) for tile in range(4)]
    return replace(_field(parts, TILE, 1), sections=(*sections, end))


def _field(parts: Parts, at: int, value: int) -> Parts:
    return replace(parts, fields=parts.fields[:at] + bytes([value]) + parts.fields[at + 1 :])
