"""Exact pixels, from section 9 of `docs/format.md` alone, in plain Python."""

from reader import nic_reader, vp8l_reader
from reader.nic_reader import RangeDecoder, cumulative_counts, read_call

Samples = list[list[list[int]]]  # by channel, row, column

GROUPS = (
    ((1, 1), ((1, 1), (1, -1), (1, 3), (1, -3), (3, 1), (3, -1))),
    ((0, 1), ((0, 1), (1, 0), (1, 2), (1, -2), (2, 1), (2, -1), (0, 3), (3, 0))),
    ((1, 0), ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (1, -2), (2, 1), (2, -1))),
)


def read_samples(data: bytes) -> Samples:
    """The samples of a file of the profile `exact`."""
    file = nic_reader.read(data)
    if file.profile != nic_reader.EXACT or file.stages != 1:
        raise ValueError("not an exact file")
    channels = (1, 3, 2, 4)[file.colour_mode]
    samples = [[[0] * file.width for _ in range(file.height)] for _ in range(channels)]
    for tile in range(file.tile_count):
        width, height = file.tile_sides(tile)
        row, column = divmod(tile, -(-file.width // (file.tile_size or file.width)))
        top, left = row * file.tile_size, column * file.tile_size
        found = read_tile(file.tokens(0, tile), channels, width, height, file.bit_depth)
        for plane, part in zip(samples, found, strict=True):
            for number, line in enumerate(part):
                plane[top + number][left : left + width] = line
    return samples


def read_blocks(file: nic_reader.File, tile: int) -> dict[tuple[int, int], tuple[int, ...]]:
    """Section 3.6: the exact pixels of a tile of the profile `photo`, by row and column in the tile."""
    found = [data for kind, _, of, data in file.sections if kind == nic_reader.BLOCKS and of == tile]
    if not found:
        return {}
    width, height = file.tile_sides(tile)
    rows, columns = -(-height // 64), -(-width // 64)
    count = -(-rows * columns // 8)
    mask = int.from_bytes(found[0][:count], "little")
    chosen = [divmod(number, columns) for number in range(rows * columns) if mask >> number & 1]
    if len(found[0]) < count or not chosen or mask >> rows * columns:
        raise ValueError("no blocks")
    top, left = 64 * min(row for row, _ in chosen), 64 * min(column for _, column in chosen)
    bottom = min(height, 64 * max(row for row, _ in chosen) + 64)
    right = min(width, 64 * max(column for _, column in chosen) + 64)
    channels = 3 if file.colour_mode == 1 else 1
    samples = read_tile(found[0][count:], channels, right - left, bottom - top, 8)
    return {
        (row, column): tuple(plane[row - top][column - left] for plane in samples)
        for row in range(top, bottom)
        for column in range(left, right)
        if (row // 64, column // 64) in chosen
    }


def read_tile(data: bytes, channels: int, width: int, height: int, depth: int) -> Samples:
    """Section 9.1: the samples of a tile."""
    if not data or data[0] > 1:
        raise ValueError("an unknown method")
    if data[0] == 1:
        samples = read_predicted(data[1:], channels, width, height, depth)
        if any(value >= 2 ** max(8, depth) for plane in samples for row in plane for value in row):
            raise ValueError("a sample out of range")
        return samples
    if depth > 8:
        raise ValueError("a VP8L of more than 8 bits")
    pixels = vp8l_reader.read(data[1:], width, height)
    shifts = {1: (8,), 2: (8, 24), 3: (16, 8, 0), 4: (16, 8, 0, 24)}[channels]
    rows = [pixels[row * width : (row + 1) * width] for row in range(height)]
    return [[[pixel >> shift & 255 for pixel in row] for row in rows] for shift in shifts]


# Section 9.3


def read_predicted(data: bytes, channels: int, width: int, height: int, depth: int) -> Samples:
    most = 2 ** (8 if depth <= 8 else 16) - 1
    places = [(channel, group, level) for channel in range(channels) for group in range(3) for level in range(2)]
    at = -(-len(places) * 3 // 8)
    flags = int.from_bytes(data[:at], "little")
    weights = {}
    for number, (channel, group, level) in enumerate(places):
        count = len(GROUPS[group][1]) - 1 + channel
        for kind in range(3):
            if flags >> (3 * number + kind) & 1:
                row = [byte - 256 if byte > 127 else byte for byte in data[at : at + count]]
                at += count
            else:
                row = [(0, -96, 96)[kind]] + [0] * (count - 1)
            if len(row) < count:
                raise ValueError("cut short")
            weights[channel, group, level, kind] = row
    tables = []
    for _ in range(channels):
        if at >= len(data) or not 1 <= data[at] <= 64:
            raise ValueError("no tables")
        row = list(data[at + 1 : at + 1 + data[at]])
        if len(row) < data[at] or max(row) >= 78:
            raise ValueError("no such table")
        tables.append(row + [row[-1]] * (64 - len(row)))
        at += 1 + data[at]
    coder = RangeDecoder(data[at:])
    limits = [(-most if channels >= 3 and channel in (1, 2) else 0, most) for channel in range(channels)]
    planes = [[[0] * width for _ in range(height)] for _ in range(channels)]
    missed = [[[0] * width for _ in range(height)] for _ in range(channels)]
    for plane, value, (low, high) in zip(planes, read_call(coder, *TABLES, [60] * channels), limits, strict=True):
        if not low <= value <= high:
            raise ValueError("a sample out of range")
        plane[0][0] = value
    step = 1
    while step < max(width, height):
        step *= 2
    while step > 1:
        step //= 2
        for group, ((top, left), _) in enumerate(GROUPS):
            rows, columns = range(top * step, height, 2 * step), range(left * step, width, 2 * step)
            spots = [(row, column) for row in rows for column in columns]
            if not spots:
                continue
            before: list[list[int]] = []
            for channel in range(channels):
                around = [
                    _around(planes[channel], missed[channel], spot, group, step, [errors[n] for errors in before])
                    for n, spot in enumerate(spots)
                ]
                bins = [_bin(activity) for _, _, _, activity in around]
                errors = read_call(coder, *TABLES, [tables[channel][bin] for bin in bins])
                for (row, column), (nearest, features, kind, _), error in zip(spots, around, errors, strict=True):
                    row_of = weights[channel, group, min(1, step - 1), kind]
                    change = sum(weight * feature for weight, feature in zip(row_of, features, strict=True))
                    low, high = limits[channel]
                    value = min(high, max(low, 128 * nearest + change + 256 >> 9)) + error
                    if not low <= value <= high:
                        raise ValueError("a sample out of range")
                    planes[channel][row][column], missed[channel][row][column] = value, abs(error)
                before.append(errors)
    if channels >= 3:
        green, red, blue, *alpha = planes
        red, blue = (_plus(green, plane, most) for plane in (red, blue))
        planes = [red, green, blue, *alpha]
    return planes


def _plus(green: list[list[int]], plane: list[list[int]], most: int) -> list[list[int]]:
    found = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(green, plane, strict=True)]
    if any(not 0 <= value <= most for row in found for value in row):
        raise ValueError("a sample out of range")
    return found


def _around(
    plane: list[list[int]], missed: list[list[int]], spot: tuple[int, int], group: int, step: int, before: list[int]
) -> tuple[int, list[int], int, int]:
    """The sum of the nearest four, the features, the class and the activity of a sample."""
    pairs = GROUPS[group][1]
    rows, columns = -(-len(plane) // step), -(-len(plane[0]) // step)
    if min(rows, columns) == 1:
        pairs = (pairs[1 if columns == 1 else 0],) * len(pairs)

    def at(of: list[list[int]], down: int, across: int) -> int:
        row, column = _mirrored(spot[0] // step + down, rows), _mirrored(spot[1] // step + across, columns)
        return of[row * step][column * step]

    ends = [(at(plane, y, x), at(plane, -y, -x)) for y, x in pairs]
    sums = [one + other for one, other in ends]
    one, two = (abs(a - b) for a, b in ends[:2])
    nearest = sums[0] + sums[1]
    features = [2 * pair - nearest for pair in sums[1:]] + [4 * error for error in before]
    kind = 1 if 2 * one + 1 < two else 2 if 2 * two + 1 < one else 0
    activity = one + two + sum(at(missed, y, x) + at(missed, -y, -x) for y, x in pairs[:2])
    return nearest, features, kind, activity + 2 * sum(map(abs, before))


def _mirrored(index: int, length: int) -> int:
    if length == 1:
        return 0
    index %= 2 * (length - 1)
    return min(index, 2 * (length - 1) - index)


# Section 9.4


def _cube_root(number: int) -> int:
    low, high = 0, 1 << number.bit_length() // 3 + 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


def _bin(activity: int) -> int:
    return sum(1 for number in range(63) if activity**3 >= 2**number)


def _shares(mean: int) -> list[int]:
    ratio = 2**30 * mean // (mean + 2**20)
    powers = [2**30]
    for _ in range(64):
        powers.append(powers[-1] * ratio >> 30)
    beyond = 2 * powers[64] * 2**30 // (2**30 - ratio)
    total = powers[0] + 2 * sum(powers[1:64]) + beyond
    return [2**30 * part // total for part in [*powers[:64], beyond]]


def _tables() -> tuple[list[list[int]], list[int]]:
    cumulative, shifts = [], []
    for number in range(78):
        shift = max(0, (number - 37) // 3)
        mean = _cube_root(2 ** (number + 30)) >> shift
        narrow, wide = _shares(mean), _shares(3 * mean)
        row = [(2**24 - 128) * (7 * a + b) // 2**33 for a, b in zip(narrow, wide, strict=True)]
        weights = row[63:0:-1] + row
        weights[weights.index(max(weights))] += 2**24 - 128 - sum(weights)
        cumulative.append(cumulative_counts(weights))
        shifts.append(shift)
    return cumulative, shifts


TABLES = _tables()
