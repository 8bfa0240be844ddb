"""A .nic file as its fields, whatever they say: taken apart without a look at checksums, put together with right ones.

Random bytes never pass a checksum, so they test nothing behind it. `mend` repairs the checksums of whatever a fuzzer
made, and `mutate` changes fields, sections and lengths in the ways that bytes do not get to by themselves.
"""

from dataclasses import dataclass, replace
from random import Random

from imgcodec.bitstream.cursor import VARINT_MAX, varint
from imgcodec.bitstream.header import SIGNATURE, VERSIONS, checksum
from imgcodec.bitstream.payload import pack_bytes

SIDES = (1, 2, 3, 15, 16, 17, 63, 64, 65, 100, 127, 128, 129, 255, 1024, 16384, 16385, 2**14 * 64, 2**28, VARINT_MAX)
TILES = (0, 0, 0, 1, 2, 3, 16, 255)  # units of 64 pixels
KINDS = (0, 1, 1, 1, 1, 2, 2, 3, 4, 127, 128, 129, 130, 131, 132, 200, 255)
NUMBERS = (0, 0, 0, 1, 2, 3, 255, 256, 2**16, VARINT_MAX)
MOST_TILES = 9
EXIF = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"  # an orientation and nothing else
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
BLOCKS = (b"", EXIF, EXIF[:-9], XMP, bytes(16) + b"RGB " + bytes(200))
HEADER_TAIL = 14  # bytes after the sides: picture, codec, quality, tile size, stages, codebook id


@dataclass(frozen=True)
class Part:
    """A section, its numbers anything that their fields hold."""

    kind: int
    stage: int
    tile: int
    data: bytes


@dataclass(frozen=True)
class Parts:
    """All of a file. `fields` are those of the header behind the sides, 14 bytes; `tail` is what is no section."""

    version: int
    width: int
    height: int
    fields: bytes
    sections: tuple[Part, ...]
    tail: bytes

    @property
    def tile_size(self) -> int:
        return 64 * self.fields[4]

    @property
    def stages(self) -> int:
        """Of version 1; in version 2 the calls in the first section of each tile."""
        return self.fields[5]


def take_apart(data: bytes) -> Parts:
    """The fields of `data`. Raises ValueError where it is too short for a header."""
    at = len(SIGNATURE) + 1
    version = data[at - 1] if len(data) >= at else 0
    width, at = _varint(data, at)
    height, at = _varint(data, at)
    fields, at = data[at : at + HEADER_TAIL], at + HEADER_TAIL + 4
    if len(fields) < HEADER_TAIL:
        raise ValueError("no header")
    sections = []
    while True:
        try:
            tile, after = _varint(data, at + 2)
            size, after = _varint(data, after)
        except ValueError:
            break
        if after + size + 4 > len(data):
            break
        sections.append(Part(data[at], data[at + 1], tile, data[after : after + size]))
        at = after + size + 4
    return Parts(version, width, height, fields, tuple(sections), data[at:])


def put_together(parts: Parts) -> bytes:
    """The file, every checksum and length right."""
    header = SIGNATURE + bytes([parts.version]) + varint(parts.width) + varint(parts.height) + parts.fields
    pieces = [header, checksum(header)]
    for part in parts.sections:
        body = bytes([part.kind, part.stage]) + varint(part.tile) + varint(len(part.data)) + part.data
        pieces += [body, checksum(body)]
    return b"".join(pieces) + parts.tail


def mend(data: bytes, codebook_id: bytes = b"") -> bytes:
    """`data` with its signature, version and checksums right, and the id of a model; as it is if it has no header."""
    try:
        parts = take_apart(data)
    except ValueError:
        return data
    kept = len(parts.fields) - len(codebook_id)
    version = parts.version if parts.version in VERSIONS else VERSIONS[-1]
    return put_together(replace(parts, version=version, fields=parts.fields[:kept] + codebook_id))


def mutate(data: bytes, random: Random) -> bytes:
    """A relative of a file: one to four changes of its structure. Its checksums are right, most of the time."""
    try:
        parts = take_apart(data)
    except ValueError:
        return data
    changes = random.choice((DEEP, CHANGES))
    for _ in range(random.randint(1, 4 if changes is DEEP else 2)):
        parts = random.choice(changes)(parts, random)
    data = put_together(parts)
    return data if changes is DEEP or random.random() < 0.9 else _damaged(data, random)


def _new_size(parts: Parts, random: Random) -> Parts:
    return replace(parts, width=random.choice(SIDES), height=random.choice(SIDES))


def _new_field(parts: Parts, random: Random) -> Parts:
    fields = bytearray(parts.fields)
    at = random.randrange(6)
    fields[at] = random.choice((0, 1, 2, 3, fields[at] ^ 1 << random.randrange(8), random.randrange(256)))
    return replace(parts, fields=bytes(fields))


def _new_quality(parts: Parts, random: Random) -> Parts:
    quality = random.randint(0, 100 * 256).to_bytes(2, "little")
    return replace(parts, fields=parts.fields[:2] + quality + parts.fields[4:])


def _new_tiles(parts: Parts, random: Random) -> Parts:
    """Another size that can be decoded, other tiles, and a token section for each, made of the data that is there."""
    fields = bytearray(parts.fields)
    fields[4] = random.choice(TILES)
    parts = replace(parts, width=random.randint(1, 180), height=random.randint(1, 180), fields=bytes(fields))
    size = parts.tile_size or 2**32
    tiles = -(-parts.width // size) * -(-parts.height // size)
    data = [part.data for part in parts.sections if part.kind == 1] or [b""]
    if parts.version == 1:
        tokens = [
            Part(1, stage, tile, random.choice(data))
            for stage in range(min(parts.stages, 4))
            for tile in range(min(tiles, MOST_TILES))
        ]
    else:
        tokens = _calls(parts.stages, min(tiles, MOST_TILES), data, random)
    others = [part for part in parts.sections if part.kind != 1]
    return replace(parts, sections=(*tokens, *others))


def _calls(first_calls: int, tiles: int, data: list[bytes], random: Random) -> list[Part]:
    """Token sections of version 2 that hold all calls of each tile, in order."""
    tokens = []
    for tile in range(tiles):
        total = random.choice((0, 1, first_calls, 12, 17, 24, 24, 30, 63))
        tokens.append(Part(1, total, tile, random.choice(data)))
        first = first_calls
        while first < total:
            end = random.choice((total, random.randint(first + 1, total)))
            if end == total:
                tokens.append(Part(1, 128 + first, tile, random.choice(data)))
            else:
                tokens.append(Part(1, 64 + first, tile, bytes([end]) + random.choice(data)))
            first = end
    return sorted(tokens, key=lambda part: (part.stage % 64 if part.stage > 63 else 0, part.tile))


def _new_extras(parts: Parts, random: Random) -> Parts:
    """Alpha and metadata that fit, or nearly."""
    tokens = [part for part in parts.sections if part.kind == 1]
    size = parts.width * parts.height + random.choice((0, 0, 0, 0, 1))
    found = {kind: random.choice(BLOCKS) + random.randbytes(random.choice((0, 0, 40))) for kind in (128, 129, 130)}
    found[2] = random.randbytes(min(size, 64)).ljust(min(size, 2**16), random.choice((b"\0", b"\1")))
    extras = [Part(kind, 0, 0, pack_bytes(data)) for kind, data in found.items() if random.random() < 0.5]
    end = [part for part in parts.sections if part.kind == 0]
    return replace(parts, sections=(*tokens, *extras, *end))


def _new_section(parts: Parts, random: Random) -> Parts:
    """One of any kind, anywhere."""
    kind = random.choice(KINDS)
    data = random.randbytes(random.choice((0, 1, 4, 40)))
    part = Part(kind, random.choice((0, 0, 0, 1, 255)), random.choice(NUMBERS), data)
    at = random.randint(0, len(parts.sections))
    return replace(parts, sections=(*parts.sections[:at], part, *parts.sections[at:]))


def _moved_sections(parts: Parts, random: Random) -> Parts:
    """Left out, twice, exchanged, or another number."""
    if not parts.sections:
        return parts
    sections = list(parts.sections)
    at, other = random.randrange(len(sections)), random.randrange(len(sections))
    match random.randrange(5):
        case 0:
            del sections[at]
        case 1:
            sections.insert(other, sections[at])
        case 2:
            sections[at], sections[other] = sections[other], sections[at]
        case 3:
            sections[at] = replace(sections[at], kind=random.choice(KINDS))
        case 4:
            stage = random.choice((random.randrange(256), sections[at].stage ^ 1 << random.randrange(8)))
            sections[at] = replace(sections[at], stage=stage, tile=random.choice((sections[at].tile, *NUMBERS)))
    return replace(parts, sections=tuple(sections))


def _new_data(parts: Parts, random: Random) -> Parts:
    """A section's bytes cut, lengthened, changed, or none of the old."""
    if not parts.sections:
        return parts
    at = random.randrange(len(parts.sections))
    data = parts.sections[at].data
    match random.randrange(4):
        case 0:
            data = data[: random.randint(0, len(data))]
        case 1:
            data += random.randbytes(random.choice((1, 3, 4, 9, 40)))
        case 2:
            data = _damaged(data, random)
        case 3:
            data = random.randbytes(random.choice((0, 8, 64, 512)))
    changed = replace(parts.sections[at], data=data)
    return replace(parts, sections=(*parts.sections[:at], changed, *parts.sections[at + 1 :]))


def _new_tail(parts: Parts, random: Random) -> Parts:
    return replace(parts, tail=random.choice((b"", b"", b"\0", parts.tail[:-1], random.randbytes(20))))


CHANGES = (_new_size, _new_field, _new_tiles, _new_section, _new_extras, _moved_sections, _new_data, _new_tail)
DEEP = (_new_quality, _new_tiles, _new_extras, _new_data, _new_data)  # after which most files still decode


def mutate_exact(data: bytes, random: Random) -> bytes:
    """A relative of the data of exact pixels: bytes changed, most of them near its begin, where sizes, masks, weights
    and tables are; or cut, or lengthened."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4) if data else 0):
        at = random.randrange(min(len(changed), random.choice((8, 200, len(changed), len(changed)))))
        changed[at] = random.choice((0, 1, 255, changed[at] ^ 1 << random.randrange(8), random.randrange(256)))
    if random.random() < 0.2:
        del changed[random.randint(0, len(changed)) :]
    if random.random() < 0.1:
        changed += random.randbytes(random.choice((1, 4, 40)))
    return bytes(changed)


def _damaged(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 4) if data else 0):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The value at an offset, cut to 32 bits, and the offset behind it. Raises ValueError where it does not end."""
    value = 0
    for position in range(5):
        if at + position >= len(data):
            break
        byte = data[at + position]
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value & VARINT_MAX, at + position + 1
    raise ValueError("no number")
