"""Sections 5 and 6 of `docs/format.md`, written from that page alone: the tokens of a file, in plain Python integers.

Like `nic_reader`, it is here to show that the page says enough and to disagree when program and page drift apart. There
is no numpy, no torch and no float in it but the two tables of section 6.7. A feature map is a list of rows of
positions, and a position a list of its channels.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import add, mul

from reader.nic_reader import PHOTO, File, RangeDecoder, cumulative_counts, read, read_call

Channels = list[int]
FeatureMap = list[list[Channels]]
Planes = list[list[list[int]]]  # by group, row and column

STRIDES = (64, 16)

# Section 5.1


@dataclass
class Tensor:
    """Numbers in the order of the file, the last dimension fastest. `kind` is the file's word for their type."""

    kind: str
    shape: list[int]
    data: bytes

    def integers(self) -> list[int]:
        size = {"I8": 1, "U8": 1, "I32": 4}[self.kind]
        parts = (self.data[at : at + size] for at in range(0, len(self.data), size))
        return [int.from_bytes(part, "little", signed=self.kind != "U8") for part in parts]

    def rows(self) -> list[list[int]]:
        """A list for each number of the first dimension."""
        numbers = self.integers()
        size = len(numbers) // self.shape[0]
        return [numbers[at : at + size] for at in range(0, len(numbers), size)]


@dataclass
class Model:
    config_text: str
    tensors: dict[str, Tensor]

    def __post_init__(self) -> None:
        self.config = json.loads(self.config_text)
        self.prior = self.config["prior"]
        self.zero = self.config["tokenizer"]["codes"] // 2
        self.cumulative = [cumulative_counts(row) for row in self.tensors["tables.weights"].rows()]
        self.shift = self.tensors["tables.shift"].integers()

    def id(self) -> bytes:
        return model_id(self.config_text, self.tensors)


def model_id(config_text: str, tensors: dict[str, Tensor]) -> bytes:
    """Section 5.1: the codebook id."""
    words = {"I8": "int8", "U8": "uint8", "I32": "int32", "F16": "float16", "BF16": "bfloat16", "F32": "float32"}
    digest = hashlib.sha256(config_text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} torch.{words[tensor.kind]} {tuple(tensor.shape)}\n".encode() + tensor.data)
    return digest.digest()[:8]


def read_model(data: bytes) -> Model:
    return Model(*read_model_file(data))


def read_model_file(data: bytes) -> tuple[str, dict[str, Tensor]]:
    """The configuration's text, and the tensors by name."""
    size = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + size])
    metadata = entries.pop("__metadata__")
    if metadata["format"] != "imgcodec-model-1":
        raise ValueError("not a model")
    tensors = {}
    for name, entry in entries.items():
        start, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = Tensor(entry["dtype"], entry["shape"], data[start:end])
    return metadata["config"], tensors


# Section 6


def rounded(n: int, shift: int) -> int:
    """R(n, s)"""
    if shift <= 0:
        return n << -shift
    low = n >> shift
    twice = 2 * (n - (low << shift))
    one = 1 << shift
    return low + (twice > one or (twice == one and low % 2 == 1))


def clip(n: int, low: int, high: int) -> int:
    return min(max(n, low), high)


def operand(n: int, fraction: int, positive: bool = False) -> int:
    return clip(rounded(n, 8 - fraction), 0, 255) if positive else clip(rounded(n, 8 - fraction), -127, 127)


def product(operands: FeatureMap, weight: list[list[int]], bias: list[int], shift: list[int]) -> FeatureMap:
    def at(channels: Channels) -> Channels:
        return [rounded(sum(map(mul, w, channels)) + b, s) for w, b, s in zip(weight, bias, shift, strict=True)]

    return [[at(channels) for channels in row] for row in operands]


def depthwise(operands: FeatureMap, weight: list[list[int]], bias: list[int], shift: list[int]) -> FeatureMap:
    height, width, size = len(operands), len(operands[0]), math.isqrt(len(weight[0]))

    def at(r: int, s: int, c: int) -> int:
        total = bias[c]
        for i in range(max(0, size // 2 - r), min(size, size // 2 + height - r)):
            for j in range(max(0, size // 2 - s), min(size, size // 2 + width - s)):
                total += weight[c][size * i + j] * operands[r + i - size // 2][s + j - size // 2][c]
        return rounded(total, shift[c])

    return [[[at(r, s, c) for c in range(len(weight))] for s in range(width)] for r in range(height)]


E = [round(255 * math.exp(-n / 16)) for n in range(99)] + [0]


def attention(
    projected: FeatureMap, inside: list[list[bool]], position: list[list[int]], fractions: list[int], window: int
) -> FeatureMap:
    """The mixed map: ATTENTION between its two products."""
    heads, width = len(position), len(projected[0][0]) // 3
    size = width // heads
    mixed = [[[0] * width for _ in row] for row in projected]
    for top in range(0, len(projected), window):
        for left in range(0, len(projected[0]), window):
            positions = [(top + i, left + j) for i in range(window) for j in range(window)]
            for head in range(heads):
                parts = []
                for part, fraction in enumerate(fractions):
                    channels = slice(part * width + head * size, part * width + head * size + size)
                    parts.append([[operand(n, fraction) for n in projected[r][s][channels]] for r, s in positions])
                of_head = mix(positions, parts, inside, position[head], fractions, window)
                for (r, s), numbers in zip(positions, of_head, strict=True):
                    mixed[r][s][head * size : head * size + size] = numbers
    return mixed


def mix(
    positions: list[tuple[int, int]],
    parts: list[list[Channels]],
    inside: list[list[bool]],
    position: list[int],
    fractions: list[int],
    window: int,
) -> list[Channels]:
    """What one head makes of one window."""
    queries, keys, values = parts
    result = []
    for (row, column), query in zip(positions, queries, strict=True):
        scores = []
        for (r, s), key in zip(positions, keys, strict=True):
            u = (row - r + window - 1) * (2 * window - 1) + (column - s + window - 1)
            score = rounded(sum(map(mul, query, key)), fractions[0] + fractions[1] - 1) + position[u]
            scores.append(score if inside[r][s] else score - 16384)
        e = [E[min(99, max(scores) - score)] for score in scores]
        sums = (sum(map(mul, e, channel)) for channel in zip(*values, strict=True))
        # rounding down twice is rounding down once, should 8 - fraction be negative
        result.append([rounded_down(n, fractions[2] - 8) // sum(e) for n in sums])
    return result


def rounded_down(n: int, shift: int) -> int:
    return n >> shift if shift > 0 else n << -shift


def interpolated(rows: list[list[int]], quality: int) -> Channels:
    at = quality * (len(rows) - 1)
    low = min(at // 25600, len(rows) - 2)
    part = at - 25600 * low
    pairs = zip(rows[low], rows[low + 1], strict=True)
    return [(2 * (a * (25600 - part) + b * part) + 25600) // 51200 for a, b in pairs]


CURVE = [round(14 * math.log2(1 + t)) for t in range(513)]


def curve(tokens: Channels, planes: int) -> Channels:
    curved = [CURVE[min(abs(t), 512)] * (1 if t > 0 else -1) for t in tokens]
    return curved if planes == 1 else curved + [clip(t, -127, 127) for t in tokens]


# Section 5.3 and 5.4


class TileDecoder:
    """The tokens of one tile: `tokens[stage][group][row][column]`, filled as they are decoded."""

    def __init__(self, model: Model, file: File, tile: int, width: int, height: int) -> None:
        self.model, self.quality, self.tune = model, file.quality, file.tune
        self.sizes = [(-(-height // stride), -(-width // stride)) for stride in STRIDES]
        self.coders: list[RangeDecoder] = []  # of each call
        slices = model.prior["slices"]
        if file.first_calls:
            self.shares = 3
            total, parts = file.calls(tile)
            for first, end, data in parts:
                self.coders += [RangeDecoder(data)] * (end - first)
            if total > 6 * sum(map(len, slices)):
                raise ValueError("more calls than the model makes")
        else:
            self.shares = 1
            for stage in range(2):
                self.coders += [RangeDecoder(file.tokens(stage, tile))] * (2 * len(slices[stage]))
        self.called = 0
        self.tokens = empty_tokens(model, width, height)
        self._layers: dict[str, tuple[list[list[int]], list[int], list[int]]] = {}

    def run(self) -> None:
        (rows, columns), config = self.sizes[0], self.model.prior
        window = config["windows"][0]
        height, width = -(-rows // window) * window, -(-columns // window) * window
        self.inside = [[r < rows and s < columns for s in range(width)] for r in range(height)]
        x = self.stage(0, [[[0] * config["width"] for _ in range(width)] for _ in range(height)])
        x = self.product("upsample", self.block("between", x, True, window))
        x = [
            [[x[r // 4][s // 4][16 * c + 4 * (r % 4) + s % 4] for c in range(64)] for s in range(4 * width)]
            for r in range(4 * height)
        ]
        self.inside = [[self.inside[r // 4][s // 4] for s in range(4 * width)] for r in range(4 * height)]
        self.stage(1, self.product("spread", x))

    def stage(self, stage: int, x: FeatureMap) -> FeatureMap:
        name, config, first = ("coarse", "fine")[stage], self.model.prior, 0
        start = self.rows(f"{name}.start")
        x = each(x, lambda channels: list(map(add, channels, start)))
        for i, groups in enumerate(config["slices"][stage]):
            if self.called >= len(self.coders):
                break
            x = self.block(f"{name}.blocks.{i}", x, config["attention"][stage][i], config["windows"][stage])
            x = plus(x, self.head(f"{name}.heads.{i}", x, stage, range(first, first + groups), 2 if i == 0 else 1))
            first += groups
        return x

    def block(self, name: str, x: FeatureMap, attend: bool, window: int) -> FeatureMap:
        if attend:
            x = plus(x, self.attention(f"{name}.attention", x, window))
        x = plus(x, self.depthwise(f"{name}.local", x))
        return plus(x, self.product(f"{name}.contract", self.product(f"{name}.expand", x), positive=True))

    def head(self, name: str, x: FeatureMap, stage: int, groups: range, planes: int) -> FeatureMap:
        y, bias = self.product(f"{name}.hidden", x), self.rows(f"{name}.bias")
        t = each(x, lambda _: [0] * len(groups))
        for parity in (0, 1):  # anchors, non-anchors
            p = each(self.product(f"{name}.predict", y, positive=True), lambda channels: list(map(add, channels, bias)))
            self.code(stage, groups, parity, p, t)
            e = product(each(t, lambda tokens: curve(tokens, planes)), *self.layer(f"{name}.embed"))
            if parity == 0:
                anchors = [
                    [channels if (r + s) % 2 == 0 else [0] * len(channels) for s, channels in enumerate(row)]
                    for r, row in enumerate(e)
                ]
                y = plus(y, self.depthwise(f"{name}.neighbours", anchors))
        return e

    def code(self, stage: int, groups: range, parity: int, p: FeatureMap, t: FeatureMap) -> None:
        g, n = len(groups), self.shares
        for j in range(n):
            if self.called < len(self.coders):
                self.call(stage, groups, range(g * j // n, g * (j + 1) // n), parity, p, t)
            self.called += 1

    def call(self, stage: int, groups: range, share: range, parity: int, p: FeatureMap, t: FeatureMap) -> None:
        rows, columns = self.sizes[stage]
        positions = [(r, s) for r in range(rows) for s in range(columns) if (r + s) % 2 == parity]
        where = [(g, r, s) for g in share for r, s in positions]
        means = [p[r][s][g] + 8 for g, r, s in where]
        scales = [clip(p[r][s][len(groups) + g], 0, 63) for g, r, s in where]
        tables = [16 * scale + (mean & 15) for mean, scale in zip(means, scales, strict=True)]
        values = read_call(self.coders[self.called], self.model.cumulative, self.model.shift, tables)
        for (g, r, s), mean, value in zip(where, means, values, strict=True):
            token = value + (mean >> 4)
            if abs(token) > self.model.zero:
                raise ValueError("a token that no codebook knows")
            t[r][s][g] = token
            self.tokens[stage][groups[g]][r][s] = token + self.model.zero

    # The layers of section 6, with the tensors of their names

    def layer(self, name: str) -> tuple[list[list[int]], list[int], list[int]]:
        if name not in self._layers:
            tensors = [self.model.tensors[f"prior.{name}.{part}"] for part in ("weight", "bias", "shift")]
            self._layers[name] = tensors[0].rows(), tensors[1].integers(), tensors[2].integers()
        return self._layers[name]

    def operands(self, name: str, x: FeatureMap, positive: bool = False) -> FeatureMap:
        fraction = self.model.config["fractions"][name]
        return each(x, lambda channels: [operand(n, fraction, positive) for n in channels])

    def product(self, name: str, x: FeatureMap, positive: bool = False) -> FeatureMap:
        return product(self.operands(name, x, positive), *self.layer(name))

    def depthwise(self, name: str, x: FeatureMap) -> FeatureMap:
        return depthwise(self.operands(name, x), *self.layer(name))

    def attention(self, name: str, x: FeatureMap, window: int) -> FeatureMap:
        position = self.model.tensors[f"prior.{name}.position"].rows()
        fractions = self.model.config["fractions"][name]
        mixed = attention(self.product(f"{name}.project", x), self.inside, position, fractions, window)
        return self.product(f"{name}.merge", mixed)

    def rows(self, name: str) -> Channels:
        rows, levels = self.model.tensors[f"prior.{name}.rows"].rows(), self.model.config["prior"]["levels"]
        return interpolated(rows[self.tune * levels : (self.tune + 1) * levels], self.quality)


def each(x: FeatureMap, change: Callable[[Channels], Channels]) -> FeatureMap:
    return [[change(channels) for channels in row] for row in x]


def plus(x: FeatureMap, y: FeatureMap) -> FeatureMap:
    return [[list(map(add, a, b)) for a, b in zip(*rows, strict=True)] for rows in zip(x, y, strict=True)]


# Section 5.2


def read_tokens(data: bytes, model: Model) -> list[Planes]:
    """The tokens of a file, `[stage][group][row][column]`."""
    file = read(data)
    tunes = model.config["prior"].get("tunes", 1)
    if file.profile != PHOTO or file.stages != 2 or file.tune >= tunes or file.codebook_id != model.id():
        raise ValueError("not a file of this model")
    stages = empty_tokens(model, file.width, file.height)
    for tile in range(file.tile_count):
        left, top, width, height = tile_rectangle(file, tile)
        decoder = TileDecoder(model, file, tile, width, height)
        decoder.run()
        for stage, stride in enumerate(STRIDES):
            for plane, part in zip(stages[stage], decoder.tokens[stage], strict=True):
                for row, tokens in enumerate(part, top // stride):
                    plane[row][left // stride : left // stride + len(tokens)] = tokens
    return stages


def empty_tokens(model: Model, width: int, height: int) -> list[Planes]:
    groups = model.config["tokenizer"]["channels"]
    return [
        [[[model.zero] * -(-width // stride) for _ in range(-(-height // stride))] for _ in range(g)]
        for g, stride in zip(groups, STRIDES, strict=True)
    ]


def tile_rectangle(file: File, tile: int) -> tuple[int, int, int, int]:
    """Section 2.1: left, top, width and height."""
    if file.tile_size == 0:
        return 0, 0, file.width, file.height
    row, column = divmod(tile, -(-file.width // file.tile_size))
    left, top = column * file.tile_size, row * file.tile_size
    return left, top, min(file.tile_size, file.width - left), min(file.tile_size, file.height - top)


def sha256(stages: list[Planes]) -> str:
    """Section 5.5."""
    digest = hashlib.sha256()
    for stage in stages:
        for size in (len(stage), len(stage[0]), len(stage[0][0])):
            digest.update(size.to_bytes(4, "little"))
        digest.update(b"".join(t.to_bytes(2, "little") for group in stage for row in group for t in row))
    return digest.hexdigest()
