"""Sections 4.6 and 7 of `docs/format.md`, written from that page alone, in plain Python integers: logits and weights of
the raster priors.

As `integer_prior`: no numpy, no torch, and no float but in the tables.
"""

import math
from dataclasses import dataclass
from operator import add

from reader.integer_prior import E, clip, operand, rounded

# Section 4.6

X = [round(2**24 * math.exp(-n / 32)) for n in range(555)] + [0]


def weights(logits: list[int]) -> list[int]:
    e = [X[min(555, max(logits) - n)] for n in logits]
    free = 2**24 - len(logits)
    result = [n * free // sum(e) for n in e]
    result[logits.index(max(logits))] += free - sum(result)
    return result


# Section 7.2

T = [round(256 * math.tanh(i / 64)) for i in range(-512, 513)]
S = [round(256 / (1 + math.exp(-i / 64))) for i in range(-512, 513)]
POSITIVE = ("contract", "predict", "hidden")


def gate(x: list[int]) -> list[int]:
    steps = [clip(rounded(n, 2), -512, 512) + 512 for n in x]
    half = len(x) // 2
    return [rounded(T[a] * S[b], 8) for a, b in zip(steps[:half], steps[half:], strict=True)]


@dataclass
class Prior:
    """config: the prior's part of the configuration. tensors: nested lists by name, without `prior.`."""

    config: dict
    fractions: dict
    tensors: dict[str, list]

    def dense(self, name: str, x: list[int]) -> list[int]:
        positive = any(part in POSITIVE for part in name.split(".")[-2:])
        numbers = [operand(n, self.fractions[name], positive) for n in x]
        parts = (self.tensors[f"{name}.{part}"] for part in ("weight", "bias", "shift"))
        return [
            rounded(bias + sum(w[0][0] * n for w, n in zip(row, numbers, strict=True)), shift)
            for row, bias, shift in zip(*parts, strict=True)
        ]

    def table(self, name: str, row: int) -> list[int]:
        shift = self.tensors[f"{name}.shift"]
        return [n << -s for n, s in zip(self.tensors[f"{name}.weight"][row], shift, strict=True)]

    def attend(self, name: str, states: list[list[int]]) -> list[list[int]]:
        """The states of all positions -> what is added to each."""
        width, heads = self.config["width"], self.config["heads"]
        k, fractions = width // heads, self.fractions[name]
        projected = [self.dense(f"{name}.project", x) for x in states]
        q, keys, v = (
            [[operand(n, f, False) for n in x[part * width : (part + 1) * width]] for x in projected]
            for part, f in enumerate(fractions)
        )
        result = []
        for p in range(len(states)):
            seen = range(max(0, p - self.config["context"] + 1), p + 1)
            mixed = []
            for first in range(0, width, k):
                own = slice(first, first + k)
                score = [
                    rounded(sum(a * b for a, b in zip(q[p][own], keys[b][own], strict=True)), sum(fractions[:2]) - 1)
                    for b in seen
                ]
                e = [E[min(99, max(score) - n)] for n in score]
                for i in range(first, first + k):
                    total = sum(w * v[b][i] for w, b in zip(e, seen, strict=True))
                    shift = 8 - fractions[2]
                    mixed.append(total * 2**shift // sum(e) if shift >= 0 else total // (sum(e) * 2**-shift))
            result.append(self.dense(f"{name}.merge", mixed))
        return result


def plus(*numbers: list[int]) -> list[int]:
    total = numbers[0]
    for more in numbers[1:]:
        total = list(map(add, total, more))
    return total


# Section 7.1. Tokens of a tile are [stage][row][column], its logits [position][digit][value] in the order of coding.


def split(token: int, digits: list[int]) -> list[int]:
    return [token // math.prod(digits[d + 1 :]) % n for d, n in enumerate(digits)]


# Section 7.3


def raster(prior: Prior, tokens: list[list[list[int]]]) -> list[list[list[int]]]:
    config, none = prior.config, [0] * prior.config["width"]
    n, sides, codes = config["digits"], config["sides"], config["codes"]

    def embedded(s: int, r: int, c: int) -> list[int]:
        if not (0 <= r < len(tokens[s]) and 0 <= c < len(tokens[s][0])):
            return prior.table("tokens", len(prior.tensors["tokens.weight"]) - 1)
        if codes <= 16384:
            return prior.table("tokens", s * codes + tokens[s][r][c])
        digit = split(tokens[s][r][c], n)
        return plus(*(prior.table("tokens", s * sum(n) + sum(n[:d]) + digit[d]) for d in range(len(n))))

    positions = [(s, r, c) for s in range(len(tokens)) for r in range(len(tokens[s])) for c in range(len(tokens[s][0]))]
    states = []
    for s, r, c in positions:
        x = [v for dr, dc in ((-1, -1), (-1, 0), (-1, 1), (0, -1)) for v in embedded(s, r + dr, c + dc)]
        if len(sides) > 1:
            x += plus(none, *(embedded(u, r * sides[u] // sides[s], c * sides[u] // sides[s]) for u in range(s)))
        first = sum(sides[:s])
        states.append(plus(prior.dense("mix", x), prior.table("row", first + r), prior.table("column", first + c)))
    for i in range(config["blocks"]):
        b = f"blocks.{i}"
        states = [plus(x, y) for x, y in zip(states, prior.attend(f"{b}.attention", states), strict=True)]
        states = [plus(x, prior.dense(f"{b}.contract", prior.dense(f"{b}.expand", x))) for x in states]
    result = []
    for (s, r, c), x in zip(positions, states, strict=True):
        head, digit, logits = f"heads.{s}", split(tokens[s][r][c], n), []
        y = prior.dense(f"{head}.state", x)
        for d in range(len(n)):
            own = y[d * config["hidden"] : (d + 1) * config["hidden"]]
            earlier = [prior.table(f"{head}.earlier.{d - 1}", sum(n[:j]) + digit[j]) for j in range(d)]
            logits.append(prior.dense(f"{head}.predict.{d}", plus(own, *earlier)))
        result.append(logits)
    return result


# Section 7.4


def pixelcnn(prior: Prior, tokens: list[list[list[int]]]) -> list[list[list[int]]]:
    width, h = prior.config["latent_dim"], prior.config["kernel_size"] // 2
    rows, columns = range(len(tokens[0])), range(len(tokens[0][0]))
    zero = [0] * width

    def at(features: list[list[list[int]]], r: int, c: int) -> list[int]:
        return features[r][c] if r in rows and c in columns else zero

    embedded = [[prior.table("tokens", t) for t in row] for row in tokens[0]]
    v = [[at(embedded, r - 1, c) for c in columns] for r in rows]
    u = [[at(embedded, r, c - 1) for c in columns] for r in rows]
    for i in range(prior.config["num_blocks"]):
        b = f"blocks.{i}"
        added = []
        for r in rows:
            for c in columns:
                above = [n for dr in range(-h, 1) for dc in range(-h, h + 1) for n in at(v, r + dr, c + dc)]
                a = prior.dense(f"{b}.vertical", above)
                left = prior.dense(f"{b}.horizontal", [n for dc in range(-h, 1) for n in at(u, r, c + dc)])
                z = plus(left, prior.dense(f"{b}.link", a))
                added.append((r, c, gate(a), prior.dense(f"{b}.merge", gate(z))))
        for r, c, vertical, horizontal in added:
            v[r][c], u[r][c] = plus(v[r][c], vertical), plus(u[r][c], horizontal)
    return [[prior.dense("predict", prior.dense("hidden", u[r][c]))] for r in rows for c in columns]
