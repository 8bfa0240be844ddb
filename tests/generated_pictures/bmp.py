"""BMP with palettes, masks and alpha."""

import struct
from collections.abc import Iterator

import numpy as np

from generated_pictures.case import HEIGHT, WIDTH, Case, packed, palette, reduced, samples


def bmp(
    rows: list[bytes],
    bits: int,
    colours: bytes = b"",
    masks: tuple[int, ...] = (),
    compression: int = 0,
    top_down: bool = False,
) -> bytes:
    """A BMP of rows from the top, with the header of version 3, or of version 4 where there are masks."""
    body = b"".join(row + bytes(-len(row) % 4) for row in (rows if top_down else rows[::-1]))
    return bmp_file(body, bits, colours, masks, compression, top_down)


def bmp_file(body: bytes, bits: int, colours: bytes, masks: tuple[int, ...], compression: int, top_down: bool) -> bytes:
    size = 108 if masks else 40
    header = struct.pack(
        "<IiiHHIIiiII", size, WIDTH, -HEIGHT if top_down else HEIGHT, 1, bits, 3 if masks else compression, len(body),
        0, 0, len(colours) // 4, 0,
    )  # fmt: skip
    header += struct.pack("<4I", *masks).ljust(size - 40, b"\0") if masks else b""
    start = 14 + len(header) + len(colours)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + header + colours + body


def bmp_cases() -> Iterator[Case]:
    for bits in (1, 4, 8):
        values, colours = samples(bits, 1), palette(bits)
        table = np.pad(colours[:, ::-1], ((0, 0), (0, 1))).tobytes()
        data = bmp(packed(values, bits), bits, table)
        yield Case(f"bmp-palette-{bits}", data, colours[values[..., 0]], None, False, 8)
    runs = (
        b"".join(b"".join(bytes([1, int(value)]) for value in row) + b"\0\0" for row in samples(8, 1)[::-1, :, 0])
        + b"\0\1"
    )
    table = np.pad(palette(8)[:, ::-1], ((0, 0), (0, 1))).tobytes()
    yield Case("bmp-rle8", bmp_file(runs, 8, table, (), 1, False), palette(8)[samples(8, 1)[..., 0]], None, False, 8)
    five, six = samples(5, 3), samples(6, 3)
    word = (five[..., 0] << 10 | five[..., 1] << 5 | five[..., 2]).astype("<u2")
    yield Case("bmp-555", bmp([row.tobytes() for row in word], 16), reduced(five, 5), None, False, 8, 1)
    word = (five[..., 0] << 11 | six[..., 1] << 5 | five[..., 2]).astype("<u2")
    pixels = np.dstack([reduced(five[..., 0], 5), reduced(six[..., 1], 6), reduced(five[..., 2], 5)])
    data = bmp([row.tobytes() for row in word], 16, masks=(0xF800, 0x07E0, 0x001F, 0))
    yield Case("bmp-565", data, pixels, None, False, 8, 1)
    values = samples(8, 4).astype(np.uint8)
    bgr, bgra = values[..., [2, 1, 0]], values[..., [2, 1, 0, 3]]
    for top_down in (False, True):
        rows = [row.tobytes() for row in bgr]
        yield Case(f"bmp-24{'-top-down' * top_down}", bmp(rows, 24, top_down=top_down), values[..., :3], None, False, 8)
    rows = [row.tobytes() for row in bgra]
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    yield Case("bmp-32-alpha", bmp(rows, 32, masks=masks), values[..., :3], values[..., 3], False, 8)
