"""A reader of the lossless bitstream of WebP, from RFC 9649, section 3, in plain Python and without any library.

`read` gives the pixels (alpha, red, green, blue) of a bitstream, row by row. Bad ones raise ValueError.
"""

from collections.abc import Callable

Pixels = list[int]  # alpha << 24 | red << 16 | green << 8 | blue

LENGTHS = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)  # order of the lengths of code lengths
# Distances 1 to 120 mean pixels nearby: across and down.
NEAR = (
    (0, 1), (1, 0), (1, 1), (-1, 1), (0, 2), (2, 0), (1, 2), (-1, 2), (2, 1), (-2, 1), (2, 2), (-2, 2), (0, 3), (3, 0),
    (1, 3), (-1, 3), (3, 1), (-3, 1), (2, 3), (-2, 3), (3, 2), (-3, 2), (0, 4), (4, 0), (1, 4), (-1, 4), (4, 1),
    (-4, 1), (3, 3), (-3, 3), (2, 4), (-2, 4), (4, 2), (-4, 2), (0, 5), (3, 4), (-3, 4), (4, 3), (-4, 3), (5, 0),
    (1, 5), (-1, 5), (5, 1), (-5, 1), (2, 5), (-2, 5), (5, 2), (-5, 2), (4, 4), (-4, 4), (3, 5), (-3, 5), (5, 3),
    (-5, 3), (0, 6), (6, 0), (1, 6), (-1, 6), (6, 1), (-6, 1), (2, 6), (-2, 6), (6, 2), (-6, 2), (4, 5), (-4, 5),
    (5, 4), (-5, 4), (3, 6), (-3, 6), (6, 3), (-6, 3), (0, 7), (7, 0), (1, 7), (-1, 7), (5, 5), (-5, 5), (7, 1),
    (-7, 1), (4, 6), (-4, 6), (6, 4), (-6, 4), (2, 7), (-2, 7), (7, 2), (-7, 2), (3, 7), (-3, 7), (7, 3), (-7, 3),
    (5, 6), (-5, 6), (6, 5), (-6, 5), (8, 0), (4, 7), (-4, 7), (7, 4), (-7, 4), (8, 1), (8, 2), (6, 6), (-6, 6),
    (8, 3), (5, 7), (-5, 7), (7, 5), (-7, 5), (8, 4), (6, 7), (-6, 7), (7, 6), (-7, 6), (8, 5), (7, 7), (-7, 7),
    (8, 6), (8, 7),
)  # fmt: skip


class Bits:
    """Bits, least significant first; zeros follow the last byte."""

    def __init__(self, data: bytes) -> None:
        self.number, self.at = int.from_bytes(data[:4096], "little"), 0
        self.data, self.loaded = data, min(len(data), 4096)

    def take(self, count: int) -> int:
        if self.at + count > 8 * 4096 - 64:
            whole = self.at // 8
            self.data = self.data[whole:]
            self.number, self.at = int.from_bytes(self.data[:4096], "little"), self.at - 8 * whole
        value = self.number >> self.at & (1 << count) - 1
        self.at += count
        return value


class Code:
    """A canonical prefix code, from the length of each symbol's code."""

    def __init__(self, lengths: list[int]) -> None:
        used = [(length, symbol) for symbol, length in enumerate(lengths) if length]
        self.only = used[0][1] if len(used) == 1 else None
        if not used:
            raise ValueError("a code without symbols")
        self.symbols: dict[tuple[int, int], int] = {}
        code, before = 0, 0
        for length, symbol in sorted(used):
            code <<= length - before
            self.symbols[length, code] = symbol
            code, before = code + 1, length
        if self.only is None and code != 1 << before:
            raise ValueError("a code that is not full")

    def read(self, bits: Bits) -> int:
        if self.only is not None:
            return self.only
        code = length = 0
        while length < 16:
            code, length = code << 1 | bits.take(1), length + 1
            symbol = self.symbols.get((length, code))
            if symbol is not None:
                return symbol
        raise ValueError("no such code")


def read(data: bytes, width: int, height: int) -> Pixels:
    """The pixels of a bitstream of that size."""
    bits = Bits(data)
    if bits.take(8) != 0x2F or (bits.take(14) + 1, bits.take(14) + 1) != (width, height):
        raise ValueError("not a VP8L of that size")
    has_alpha = bits.take(1)
    if bits.take(3):
        raise ValueError("another version")
    undo: list[Callable[[Pixels], Pixels]] = []
    seen = set()
    coded = width
    while bits.take(1):
        kind = bits.take(2)
        if kind in seen:
            raise ValueError("a transform twice")
        seen.add(kind)
        coded = _read_transform(kind, bits, coded, height, undo)
    pixels = _read_image(bits, coded, height, True)
    for step in reversed(undo):
        pixels = step(pixels)
    return pixels if has_alpha else [pixel | 0xFF000000 for pixel in pixels]


def _read_transform(kind: int, bits: Bits, width: int, height: int, undo: list[Callable[[Pixels], Pixels]]) -> int:
    """Adds what undoes a transform; returns the width of the picture that is coded."""
    if kind == 2:
        undo.append(_add_green)
        return width
    if kind == 3:
        count = bits.take(8) + 1
        table, before = [], 0
        for pixel in _read_image(bits, count, 1, False):
            before = _add(before, pixel)
            table.append(before)
        packed = 3 if count <= 2 else 2 if count <= 4 else 1 if count <= 16 else 0
        undo.append(lambda pixels: _look_up(pixels, table, width, height, packed))
        return (width + (1 << packed) - 1) >> packed
    size = bits.take(3) + 2
    columns, rows = (width + (1 << size) - 1) >> size, (height + (1 << size) - 1) >> size
    blocks = _read_image(bits, columns, rows, False)
    change = _predict if kind == 0 else _mix
    undo.append(lambda pixels: change(pixels, blocks, columns, size, width))
    return width


def _read_code(bits: Bits, symbols: int) -> Code:
    lengths = [0] * symbols
    if bits.take(1):  # one or two symbols
        count = bits.take(1) + 1
        first = bits.take(8 if bits.take(1) else 1)
        for symbol in [first] if count == 1 else [first, bits.take(8)]:
            lengths[symbol] = 1
        return Code(lengths)
    of_lengths = [0] * 19
    for position in range(bits.take(4) + 4):
        of_lengths[LENGTHS[position]] = bits.take(3)
    code = Code(of_lengths)
    most = bits.take(2 + 2 * bits.take(3)) + 2 if bits.take(1) else symbols
    at, before = 0, 8
    while at < symbols and most:
        most -= 1
        length = code.read(bits)
        if length < 16:
            lengths[at] = length
            before = length or before
            at += 1
            continue
        repeat = {16: lambda: 3 + bits.take(2), 17: lambda: 3 + bits.take(3), 18: lambda: 11 + bits.take(7)}[length]()
        if at + repeat > symbols:
            raise ValueError("too many lengths")
        lengths[at : at + repeat] = [before if length == 16 else 0] * repeat
        at += repeat
    return Code(lengths)


def _number(symbol: int, bits: Bits) -> int:
    """A length or a distance."""
    if symbol < 4:
        return symbol + 1
    extra = symbol - 2 >> 1
    return (2 + (symbol & 1) << extra) + bits.take(extra) + 1


def _read_image(bits: Bits, width: int, height: int, is_main: bool) -> Pixels:
    cache_bits = bits.take(4) if bits.take(1) else 0
    cache = [0] * (1 << cache_bits)
    groups, size, of_block = 1, 0, [0]
    columns = 1
    if is_main and bits.take(1):
        size = bits.take(3) + 2
        columns = (width + (1 << size) - 1) >> size
        blocks = _read_image(bits, columns, (height + (1 << size) - 1) >> size, False)
        of_block = [pixel >> 8 & 0xFFFF for pixel in blocks]
        groups = max(of_block) + 1
    alphabets = (280 + (1 << cache_bits if cache_bits else 0), 256, 256, 256, 40)
    codes = [[_read_code(bits, symbols) for symbols in alphabets] for _ in range(groups)]
    pixels: Pixels = []
    while len(pixels) < width * height:
        row, column = divmod(len(pixels), width)
        green, red, blue, alpha, distances = codes[
            of_block[(row >> size) * columns + (column >> size)] if groups > 1 else 0
        ]
        symbol = green.read(bits)
        if symbol < 256:
            parts = red.read(bits), blue.read(bits), alpha.read(bits)
            new = [parts[2] << 24 | parts[0] << 16 | symbol << 8 | parts[1]]
        elif symbol < 280:
            length = _number(symbol - 256, bits)
            distance = _number(distances.read(bits), bits)
            if distance > 120:
                distance -= 120
            else:
                across, down = NEAR[distance - 1]
                distance = max(1, across + down * width)
            if distance > len(pixels) or len(pixels) + length > width * height:
                raise ValueError("a copy of pixels that there are not")
            start = len(pixels) - distance
            new = [pixels[start + number % distance] for number in range(length)]
        else:
            new = [cache[symbol - 280]]
        pixels += new
        if cache_bits:
            for pixel in new:
                cache[(0x1E35A7BD * pixel & 0xFFFFFFFF) >> 32 - cache_bits] = pixel
    return pixels


# Transforms


def _add(one: int, other: int) -> int:
    """Channel by channel, modulo 256."""
    return (one & 0xFF00FF00) + (other & 0xFF00FF00) & 0xFF00FF00 | (one & 0xFF00FF) + (other & 0xFF00FF) & 0xFF00FF


def _add_green(pixels: Pixels) -> Pixels:
    return [_add(pixel, (pixel >> 8 & 0xFF) * 0x10001) for pixel in pixels]


def _look_up(pixels: Pixels, table: Pixels, width: int, height: int, packed: int) -> Pixels:
    found, coded, depth = [], (width + (1 << packed) - 1) >> packed, 8 >> packed
    for row in range(height):
        for column in range(width):
            index = pixels[row * coded + (column >> packed)] >> 8 & 0xFF
            index = index >> depth * (column & (1 << packed) - 1) & (1 << depth) - 1
            found.append(table[index] if index < len(table) else 0)
    return found


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _mix(pixels: Pixels, blocks: Pixels, columns: int, size: int, width: int) -> Pixels:
    found = []
    for at, pixel in enumerate(pixels):
        row, column = divmod(at, width)
        block = blocks[(row >> size) * columns + (column >> size)]
        of_green, of_green_to_blue, of_red = (_signed(block >> shift & 0xFF) for shift in (0, 8, 16))
        green = _signed(pixel >> 8 & 0xFF)
        red = (pixel >> 16) + (of_green * green >> 5) & 0xFF
        blue = pixel + (of_green_to_blue * green >> 5) + (of_red * _signed(red) >> 5) & 0xFF
        found.append(pixel & 0xFF00FF00 | red << 16 | blue)
    return found


def _channels(pixel: int) -> list[int]:
    return [pixel >> shift & 0xFF for shift in (24, 16, 8, 0)]


def _joined(channels: list[int]) -> int:
    alpha, red, green, blue = channels
    return alpha << 24 | red << 16 | green << 8 | blue


def _mean(one: int, other: int) -> int:
    return ((one ^ other) & 0xFEFEFEFE) // 2 + (one & other)


def _clip(value: int) -> int:
    return min(255, max(0, value))


def _select(left: int, top: int, corner: int) -> int:
    of_left = sum(abs(a - b) for a, b in zip(_channels(top), _channels(corner), strict=True))
    of_top = sum(abs(a - b) for a, b in zip(_channels(left), _channels(corner), strict=True))
    return left if of_left < of_top else top


def _full(left: int, top: int, corner: int) -> int:
    parts = zip(*map(_channels, (left, top, corner)), strict=True)
    return _joined([_clip(a + b - c) for a, b, c in parts])


def _half(mean: int, corner: int) -> int:
    parts = zip(_channels(mean), _channels(corner), strict=True)
    return _joined([_clip(a + int((a - b) / 2)) for a, b in parts])


def _predict(pixels: Pixels, blocks: Pixels, columns: int, size: int, width: int) -> Pixels:
    found: Pixels = []
    for at, pixel in enumerate(pixels):
        row, column = divmod(at, width)
        if at == 0:
            guess = 0xFF000000
        elif row == 0:
            guess = found[at - 1]
        elif column == 0:
            guess = found[at - width]
        else:
            mode = blocks[(row >> size) * columns + (column >> size)] >> 8 & 15
            left, top, corner, right = (found[at - away] for away in (1, width, width + 1, width - 1))
            guess = _guess(mode, left, top, corner, right)
        found.append(_add(pixel, guess))
    return found


def _guess(mode: int, left: int, top: int, corner: int, right: int) -> int:
    match mode:
        case 1:
            return left
        case 2:
            return top
        case 3:
            return right
        case 4:
            return corner
        case 5:
            return _mean(_mean(left, right), top)
        case 6:
            return _mean(left, corner)
        case 7:
            return _mean(left, top)
        case 8:
            return _mean(corner, top)
        case 9:
            return _mean(top, right)
        case 10:
            return _mean(_mean(left, corner), _mean(top, right))
        case 11:
            return _select(left, top, corner)
        case 12:
            return _full(left, top, corner)
        case 13:
            return _half(_mean(left, top), corner)
        case _:
            return 0xFF000000
