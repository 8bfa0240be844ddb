"""What the fuzzers start from: every profile and feature of the format, in small."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fuzz.structure import EXIF, XMP, Part, Parts, put_together, take_apart

from imgcodec.bitstream.cursor import varint
from imgcodec.bitstream.payload import pack_bytes

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
