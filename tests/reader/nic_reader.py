"""A second reader of .nic files, written from `docs/format.md` alone, in plain Python and without any library.

It is here to show that the page says enough, and to disagree when the program and the page drift apart. It is slow,
and it refuses bad files with ValueError. Section numbers are those of the page.
"""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

SIGNATURE = bytes.fromhex("8F4E49430D0A1A0A")
END, TOKENS, ALPHA, BLOCKS = 0, 1, 2, 4
FEATURES = 132
KNOWN = {END, TOKENS, ALPHA, BLOCKS, 128, 129, 130, 131, FEATURES}
PHOTO, SEMANTIC, RASTER, EXACT = 1, 3, 4, 9
RETIRED = (2, 5, 6, 7)  # numbers of profiles, read as RASTER


@dataclass
class File:
    """What the container says. `sections` are (type, stage, tile, data), without the end and unknown ones. In version 1
    first_calls is 0."""

    width: int
    height: int
    colour_mode: int
    bit_depth: int
    profile: int
    tune: int
    quality: int
    tile_size: int
    stages: int
    first_calls: int
    codebook_id: bytes
    sections: list[tuple[int, int, int, bytes]]

    @property
    def tile_count(self) -> int:
        if self.tile_size == 0:
            return 1
        return -(-self.width // self.tile_size) * -(-self.height // self.tile_size)

    def tile_sides(self, tile: int) -> tuple[int, int]:
        if self.tile_size == 0:
            return self.width, self.height
        row, column = divmod(tile, -(-self.width // self.tile_size))
        return (
            min(self.tile_size, self.width - column * self.tile_size),
            min(self.tile_size, self.height - row * self.tile_size),
        )

    def tokens(self, stage: int, tile: int) -> bytes:
        """Version 1: the data of a section."""
        return next(data for kind, *place, data in self.sections if kind == TOKENS and place == [stage, tile])

    def calls(self, tile: int) -> tuple[int, list[tuple[int, int, bytes]]]:
        """Version 2: how many calls a tile has, and first call, end and stream of each of its sections."""
        fields = [(stage, data) for kind, stage, of, data in self.sections if kind == TOKENS and of == tile]
        if not fields or fields[0][0] > 63:
            raise ValueError("no first section")
        total = fields[0][0]
        parts = [(0, min(total, self.first_calls), fields[0][1])]
        for field, data in fields[1:]:
            if 64 <= field < 128:
                if not data or not field - 64 < data[0] < total:
                    raise ValueError("calls that there are not")
                parts.append((field - 64, data[0], data[1:]))
            elif 128 <= field < 192:
                parts.append((field - 128, total, data))
            else:
                raise ValueError("two first sections")
        if any(part[0] >= part[1] for part in parts[1:]) or parts[-1][1] != total:
            raise ValueError("calls that there are not")
        if any(part[0] != before[1] for part, before in zip(parts[1:], parts, strict=False)):
            raise ValueError("missing calls")
        return total, parts


# Section 1


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_TABLE = [_crc_of_byte(byte) for byte in range(256)]


class Bytes:
    """Bytes, read from the front, with checksums over what was read since a mark."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.mark = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise ValueError("cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def varint(self) -> int:
        value = 0
        for position in range(5):
            byte = self.integer(1)
            value += (byte & 0x7F) << 7 * position
            if byte < 0x80:
                if value >= 2**32 or (position and not byte):
                    break
                return value
        raise ValueError("not a varint")

    def checksum(self) -> None:
        """Compares the next four bytes with the checksum of what lies between the mark and them; moves the mark."""
        expected = crc32c(self.data[self.mark : self.at])
        if self.integer(4) != expected:
            raise ValueError("wrong checksum")
        self.mark = self.at


# Sections 2 and 3


def read(data: bytes) -> File:
    if len(data) > 4 * 2**28 + 2**26:
        raise ValueError("over a limit")
    source = Bytes(data)
    if source.take(8) != SIGNATURE:
        raise ValueError("not a .nic file")
    version = source.integer(1)
    if version not in (1, 2):
        raise ValueError("not a .nic file of version 1 or 2")
    width, height = source.varint(), source.varint()
    picture, codec = source.integer(1), source.integer(1)
    quality, tile_units, stages = source.integer(2), source.integer(1), source.integer(1)
    codebook_id = source.take(8)
    source.checksum()
    file = File(
        width=width,
        height=height,
        colour_mode=picture >> 4,
        bit_depth=(picture & 15) + 1,
        profile=RASTER if codec >> 4 in RETIRED else codec >> 4,
        tune=codec & 15,
        quality=quality,
        tile_size=64 * tile_units,
        stages=stages if version == 1 else 2,
        first_calls=0 if version == 1 else stages,
        codebook_id=codebook_id,
        sections=[],
    )
    most_modes = 3 if file.profile == EXACT else 1
    if 0 in (width, height) or file.colour_mode > most_modes or file.tune > 1:
        raise ValueError("impossible header")
    if file.profile not in (PHOTO, SEMANTIC, RASTER, EXACT):
        raise ValueError("unknown profile")
    area = rounded_area(width, height)
    if quality > 25600 or width * height > 2**28 or area > 2**29 + 2**22 or file.stages * file.tile_count > 2**16:
        raise ValueError("over a limit")
    if version == 2 and (file.profile != PHOTO or not 1 <= file.first_calls <= 63):
        raise ValueError("not a header of version 2")
    _read_sections(source, file)
    return file


def rounded_area(width: int, height: int) -> int:
    """Section 3.2: pixels of a rectangle with sides rounded up to multiples of 64."""
    return -(-width // 64) * -(-height // 64) * 4096


def _read_sections(source: Bytes, file: File) -> None:
    tokens, count, metadata = 0, 0, 0
    last, last_blocks = (-1, 0), -1
    while True:
        kind, stage, tile = source.integer(1), source.integer(1), source.varint()
        data = source.take(source.varint())
        source.checksum()
        count += 1
        metadata += len(data) if kind in (128, 129, 130) else 0
        if count > 2**16 or metadata > 2**24:
            raise ValueError("over a limit")
        if kind == END:
            break
        if kind not in KNOWN:
            if kind < 128:
                raise ValueError("a section that must be known")
            continue
        if kind == TOKENS:
            if file.first_calls:
                here = (stage % 64 if stage > 63 else 0, tile)
                if tile >= file.tile_count or here <= last or (stage > 63 and here[0] < file.first_calls):
                    raise ValueError("tokens out of order")
                last = here
            elif (stage, tile) != divmod(tokens, file.tile_count):
                raise ValueError("tokens out of order")
            if len(data) > 16 * rounded_area(*file.tile_sides(tile)):
                raise ValueError("over a limit")
            tokens += 1
        elif kind == BLOCKS:
            if file.profile != PHOTO or stage or not last_blocks < tile < file.tile_count:
                raise ValueError("exact blocks out of order")
            if len(data) > 16 * rounded_area(*file.tile_sides(tile)):
                raise ValueError("over a limit")
            last_blocks = tile
        elif stage or tile or any(kind == other for other, *_ in file.sections):
            raise ValueError("a section twice, or with a number")
        file.sections.append((kind, stage, tile, data))
    if stage or tile or data or source.at != len(source.data):
        raise ValueError("not a proper end")
    if file.first_calls:
        for each in range(file.tile_count):
            file.calls(each)
    elif tokens != file.stages * file.tile_count:
        raise ValueError("missing tokens")


# Section 4


class RangeDecoder:
    """Section 4.1: symbols from the digits of a number."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 8
        self.value = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
        self.range = 2**64 - 1

    def symbol(self, cumulative: list[int]) -> int:
        """The next symbol under cumulative counts: cumulative[0] is 0, the last is 2**24."""
        step = self.range >> 24
        quantile = self.value // step
        if quantile >= 2**24:
            raise ValueError("not a stream of the range coder")
        symbol = bisect_right(cumulative, quantile) - 1
        self._narrow(step * cumulative[symbol], step * (cumulative[symbol + 1] - cumulative[symbol]))
        return symbol

    def bits(self, width: int) -> int:
        """Section 4.2: a number of `width` bits, 0 to 16."""
        if width == 0:
            return 0
        step = self.range >> 24
        quantile = self.value // step
        if quantile >= 2**24:
            raise ValueError("not a stream of the range coder")
        number = quantile >> 24 - width
        self._narrow(step * (number << 24 - width), step << 24 - width)
        return number

    def _narrow(self, low: int, size: int) -> None:
        self.value -= low
        self.range = size
        if size < 2**32:
            word = self.data[self.at : self.at + 4].ljust(4, b"\0")
            self.at += 4
            self.value = self.value << 32 | int.from_bytes(word, "big")
            self.range <<= 32


def cumulative_counts(weights: list[int]) -> list[int]:
    """Section 4.3: of a table's weights."""
    return [0, *accumulate(weight + 1 for weight in weights)]


def read_call(coder: RangeDecoder, cumulative: list[list[int]], shift: list[int], table: list[int]) -> list[int]:
    """Section 4.4: the values of one call. `cumulative` and `shift` are of all tables, `table` is of each value."""
    symbols = len(cumulative[0]) - 1
    half, escape = symbols // 2 - 1, symbols - 1
    order = sorted(range(len(table)), key=lambda position: table[position])
    symbol = {position: coder.symbol(cumulative[table[position]]) for position in order}
    low = {position: coder.bits(shift[table[position]]) for position in order}
    high = {position: symbol[position] - half for position in order}

    escaped = [position for position in order if symbol[position] == escape]
    exponent = {position: coder.bits(5) for position in escaped}
    number = {position: coder.bits(min(exponent[position], 16)) for position in escaped}
    for position in escaped:
        number[position] += coder.bits(max(exponent[position] - 16, 0)) << 16
    for position in escaped:
        n = number[position] + (1 << exponent[position])
        high[position] = half + n // 2 if n % 2 == 0 else -(half + (n + 1) // 2)

    values = [(high[position] << shift[table[position]]) + low[position] for position in range(len(table))]
    if any(not -(2**31) <= value < 2**31 for value in values):
        raise ValueError("a value too large")
    return values
