"""PNG of every colour type and depth."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from made_pictures import png_chunk

from generated_pictures.case import Case, expected, packed, palette, samples

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(
    values: np.ndarray, bits: int, colour_type: int, interlaced: bool = False, more: list[bytes] | None = None
) -> bytes:
    """A PNG of samples (H, W, C). more: chunks before the pixels."""
    passes = [values[top::down, left::across] for left, top, across, down in ADAM7] if interlaced else [values]
    rows = b"".join(b"\0" + row for part in passes if part.size for row in packed(part, bits))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, colour_type, 0, 0, interlaced)
    chunks = [
        png_chunk(b"IHDR", header),
        *(more or []),
        png_chunk(b"IDAT", zlib.compress(rows)),
        png_chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_cases() -> Iterator[Case]:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    kinds = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16)]
    for colour_type, bits in kinds:
        for interlaced in (False, True):
            values = samples(bits, channels[colour_type])
            name = f"png-{colour_type}-{bits}{'-interlaced' * interlaced}"
            pixels, alpha = expected(values, bits, 3 if colour_type in (2, 6) else 1)
            gray = colour_type in (0, 4)
            yield Case(name, png(values, bits, colour_type, interlaced), pixels, alpha, gray, bits)
            if colour_type in (0, 2):  # a key, and a neighbour that has its upper bits
                key = values[3, 5]
                if bits == 16:
                    values[3, 6] = key ^ 1
                    pixels, _ = expected(values, bits, 3 if colour_type == 2 else 1)
                transparent = png_chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
                alpha = np.where((values == key).all(axis=2), 0, 255).astype(np.uint8)
                data = png(values, bits, colour_type, interlaced, [transparent])
                yield Case(name + "-key", data, pixels, alpha, gray, bits)
    for bits in (1, 2, 4, 8):
        values, colours = samples(bits, 1), palette(bits)
        plte = png_chunk(b"PLTE", colours.tobytes())
        pixels = colours[values[..., 0]]
        yield Case(f"png-3-{bits}", png(values, bits, 3, more=[plte]), pixels, None, False, 8)
        for name, opacities in (("one", [255, 0]), ("several", [10, 200])):
            data = png(values, bits, 3, more=[plte, png_chunk(b"tRNS", bytes(opacities))])
            alpha = np.append(opacities, [255] * (2**bits - 2)).astype(np.uint8)[values[..., 0]]
            yield Case(f"png-3-{bits}-alpha-{name}", data, pixels, alpha, False, 8)
