"""The numbers of the integer arithmetic: units, limits and tables (`docs/numerics.md`). Knows no torch."""

import math

FRACTION = 8
"""Between layers, numbers are in units of 2**-FRACTION."""

PARAMETER_FRACTION = 4  # `mean` and `scale` of a token are in sixteenths
TOKEN_FRACTION = 4  # tokens before their embedding, too
SCORE_FRACTION = 4  # attention scores, too
SCORE_DIVISOR = 3  # scores are query . key / 2**3
MASKED = 2**14  # subtracted from scores of positions outside the tile
LIMIT = 2**24
MAX_OPERAND = 127
MAX_POSITIVE_OPERAND = 255
MAX_SHIFT = 24
LEVEL_UNITS = 25600  # quality 100 in the header's units of 1/256
TUNE_UNITS = 2**15  # times the number of the tune, added to a quality

EXPONENTIALS = (*(round(255 * math.exp(-i / 2**SCORE_FRACTION)) for i in range(99)), 0)
"""255 * exp(-i/16), rounded; the last entry, 0, is for all larger i."""

CURVE = tuple(min(MAX_OPERAND, round(14 * math.log2(1 + t))) for t in range(513))
"""14 log2(1 + t), rounded, for t from 0."""


class BoundError(ValueError):
    """Integer weights whose sums could be too large for exact float32."""
