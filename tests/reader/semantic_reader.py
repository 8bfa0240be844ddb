"""Section 8 of `docs/format.md`, written from that page alone: the vectors in files, in plain Python."""

import struct

from reader.integer_prior import model_id, read_model_file
from reader.nic_reader import FEATURES, SEMANTIC, RangeDecoder, cumulative_counts, read, read_call

HALF = 127


class Model:
    def __init__(self, data: bytes) -> None:
        text, tensors = read_model_file(data)
        self.id = model_id(text, tensors)
        self.cumulative = [cumulative_counts(row) for row in tensors["prior.weights"].rows()]
        self.scale = floats(tensors["tokenizer.quantizer.scale"].data)
        self.offset = floats(tensors["tokenizer.quantizer.offset"].data)


def read_levels(data: bytes, model: Model) -> list[int]:
    """The integers of the vector in a file, of the profile `semantic` or with a FEATURES section."""
    file = read(data)
    if file.profile == SEMANTIC:
        id, stream = file.codebook_id, file.tokens(0, 0)
        if file.stages != 1 or file.tile_size:
            raise ValueError("not a file of this profile")
    else:
        section = next(data for kind, _, _, data in file.sections if kind == FEATURES)
        id, stream = section[:8], section[8:]
    if id != model.id:
        raise ValueError("not of this model")
    dim = len(model.cumulative)
    values = read_call(RangeDecoder(stream), model.cumulative, [0] * dim, list(range(dim)))
    if any(abs(value) > HALF for value in values):
        raise ValueError("out of range")
    return [value + HALF for value in values]


def vector(levels: list[int], model: Model) -> list[float]:
    """The numbers that the integers stand for; products and sums are rounded to float32."""
    products = [rounded((level - HALF) * scale) for level, scale in zip(levels, model.scale, strict=True)]
    return [rounded(product + offset) for product, offset in zip(products, model.offset, strict=True)]


def floats(data: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def rounded(number: float) -> float:
    return struct.unpack("<f", struct.pack("<f", number))[0]
