"""TIFF in both byte orders, in strips, tiles and planes, and as compressed as it may be."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from generated_pictures.case import HEIGHT, Case, expected, packed, palette, samples

TIFF_DEFLATE, TIFF_LZW, TIFF_PACKBITS = 8, 5, 32773
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2


def tiff(
    values: np.ndarray,
    bits: int,
    photometric: int,
    order: str = "<",
    *,
    extra: tuple[int, ...] = (),
    planes: bool = False,
    compression: int = 1,
    predictor: bool = False,
    tile: tuple[int, int] | None = None,
    rows_per_strip: int = 4,
    fill_order: int = 1,
    big: bool = False,
    sample_format: int | None = None,
    tags: dict[int, tuple[int, tuple[int, ...]]] | None = None,
) -> bytes:
    """A TIFF of samples (H, W, C), in strips, tiles (width, height) or planes. tags: more of them, with their types."""
    height, width, channels = values.shape
    rows, columns = (tile[1], tile[0]) if tile else (rows_per_strip, width)
    parts = []
    for plane in [values[..., i : i + 1] for i in range(channels)] if planes else [values]:
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                part = plane[top : top + rows, left : left + columns]
                if tile:
                    part = np.pad(part, ((0, rows - part.shape[0]), (0, columns - part.shape[1]), (0, 0)))
                if predictor:
                    part = np.diff(part, axis=1, prepend=0) % 2**bits
                data = b"".join(packed(part, bits, order))
                if fill_order == 2:
                    data = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
                parts.append(compressed(data, compression))
    short, long = 3, 4
    found = {
        256: (long, (width,)), 257: (long, (height,)), 258: (short, (bits,) * channels), 259: (short, (compression,)),
        262: (short, (photometric,)), 266: (short, (fill_order,)), 277: (short, (channels,)),
        284: (short, (2 if planes else 1,)), **(tags or {}),
    }  # fmt: skip
    if extra:
        found[338] = (short, extra)
    if predictor:
        found[317] = (short, (2,))
    if sample_format is not None:
        found[339] = (short, (sample_format,) * channels)
    if tile:
        found |= {322: (long, (columns,)), 323: (long, (rows,))}
    else:
        found[278] = (long, (rows,))
    head = 16 if big else 8
    offsets = head + np.cumsum([0] + [len(part) for part in parts])
    found[324 if tile else 273] = (long, tuple(int(offset) for offset in offsets[:-1]))
    found[325 if tile else 279] = (long, tuple(len(part) for part in parts))
    body = b"".join(parts)
    start = head + len(body) + len(body) % 2
    mark = b"II" if order == "<" else b"MM"
    header = mark + struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, start) if big else (42, start)))
    return header + body + bytes(len(body) % 2) + directory(found, order, start, big)


def directory(tags: dict[int, tuple[int, tuple[int, ...]]], order: str, start: int, big: bool) -> bytes:
    room, number = (8, "Q") if big else (4, "I")
    behind_at = start + (8 if big else 2) + (12 + room - 4 + (4 if big else 0)) * len(tags) + room
    entries, behind = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        data = struct.pack(f"{order}{len(values)}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", *values)
        inside = data.ljust(room, b"\0") if len(data) <= room else struct.pack(order + number, behind_at + len(behind))
        entries += struct.pack(f"{order}HH{number}", tag, kind, len(values)) + inside
        behind += data if len(data) > room else b""
    return struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + bytes(room) + behind


def compressed(data: bytes, compression: int) -> bytes:
    if compression == TIFF_DEFLATE:
        return zlib.compress(data)
    if compression == TIFF_PACKBITS:
        return b"".join(bytes([len(run) - 1]) + run for run in (data[i : i + 128] for i in range(0, len(data), 128)))
    if compression == TIFF_LZW:  # codes of nine bits, with a new table before it would need ten
        codes = [code for i in range(0, len(data), 200) for code in (256, *data[i : i + 200])] + [257]
        return np.packbits([code >> bit & 1 for code in codes for bit in range(8, -1, -1)]).tobytes()
    return data


def tiff_case(
    name: str, bits: int, photometric: int, order: str, extra: tuple[int, ...] = (), **options: object
) -> Case:
    colours = 3 if photometric == 2 else 1
    values = samples(bits, colours + len(extra))
    maximum = 2**bits - 1
    stored, shown = values.copy(), values.astype(float)
    if photometric == 0:
        stored[..., :1] = maximum - stored[..., :1]
    kind = next((kind for kind in extra if kind != UNSPECIFIED), None)
    if kind is not None:  # what lies before it is not shown
        shown = np.delete(shown, [colours + i for i in range(extra.index(kind))], axis=2)
    tolerance = 0
    if kind == ASSOCIATED:
        opacity = values[..., colours : colours + 1]
        stored[..., :colours] = values[..., :colours] * opacity // maximum
        shown[..., :colours] = np.where(opacity > 0, stored[..., :colours] * maximum / np.maximum(opacity, 1), 0)
        tolerance = 1 if bits == 8 else 0  # Pillow rounds down
    pixels, alpha = expected(shown[..., : colours + (kind is not None)], bits, colours)
    data = tiff(stored, bits, photometric, order, extra=extra, **options)  # type: ignore[arg-type]
    return Case(f"tiff-{name}", data, pixels, alpha, photometric != 2, bits, tolerance)


def tiff_cases() -> Iterator[Case]:
    for order, end in (("<", "II"), (">", "MM")):
        for bits in (1, 2, 4, 6, 8, 10, 12, 14, 16):
            for photometric, kind in ((0, "white-is-zero"), (1, "black-is-zero")):
                yield tiff_case(f"{kind}-{bits}-{end}", bits, photometric, order)
        for bits in (8, 12, 16):
            yield tiff_case(f"rgb-{bits}-{end}", bits, 2, order)
            yield tiff_case(f"rgb-{bits}-{end}-planes", bits, 2, order, planes=True)
            yield tiff_case(f"gray-{bits}-{end}-deflate", bits, 1, order, compression=TIFF_DEFLATE)
            yield tiff_case(f"white-is-zero-{bits}-{end}-deflate", bits, 0, order, compression=TIFF_DEFLATE)
            yield tiff_case(f"rgb-{bits}-{end}-lzw", bits, 2, order, compression=TIFF_LZW)
            yield tiff_case(f"rgb-{bits}-{end}-packbits", bits, 2, order, compression=TIFF_PACKBITS)
            yield tiff_case(f"rgb-{bits}-{end}-tiles", bits, 2, order, tile=(16, 16))
            yield tiff_case(f"rgb-{bits}-{end}-tiles-deflate", bits, 2, order, tile=(16, 16), compression=TIFF_DEFLATE)
            if order == "<":  # Pillow knows no other
                yield tiff_case(f"gray-{bits}-{end}-big", bits, 1, order, big=True)
            yield tiff_case(f"rgb-{bits}-{end}-one-strip", bits, 2, order, rows_per_strip=HEIGHT)
            for alpha, word in ((UNASSOCIATED, "alpha"), (ASSOCIATED, "associated"), (UNSPECIFIED, "unspecified")):
                yield tiff_case(f"rgb-{bits}-{end}-{word}", bits, 2, order, (alpha,))
                yield tiff_case(f"gray-{bits}-{end}-{word}", bits, 1, order, (alpha,))
            if bits > 8:
                yield tiff_case(f"rgb-{bits}-{end}-alpha-planes", bits, 2, order, (UNASSOCIATED,), planes=True)
                yield tiff_case(f"rgb-{bits}-{end}-two-more", bits, 2, order, (UNSPECIFIED, UNASSOCIATED))
        for bits in (8, 16):
            options = {"compression": TIFF_DEFLATE, "predictor": True}
            yield tiff_case(f"gray-{bits}-{end}-predictor", bits, 1, order, **options)
            yield tiff_case(f"rgb-{bits}-{end}-predictor", bits, 2, order, **options)
            yield tiff_case(f"rgb-{bits}-{end}-predictor-tiles", bits, 2, order, tile=(16, 16), **options)
            yield tiff_case(f"rgb-{bits}-{end}-predictor-planes", bits, 2, order, planes=True, **options)
        for bits in (1, 2, 4, 8, 12):
            yield tiff_case(f"gray-{bits}-{end}-reversed-bits", bits, 1, order, fill_order=2)
            yield tiff_case(f"white-is-zero-{bits}-{end}-reversed-bits", bits, 0, order, fill_order=2)
        for bits in (1, 2, 4, 8):
            values, colours = samples(bits, 1), palette(bits)
            table = {320: (3, tuple(int(value) * 257 for value in colours.T.ravel()))}
            data = tiff(values, bits, 3, order, tags=table)
            yield Case(f"tiff-palette-{bits}-{end}", data, colours[values[..., 0]], None, False, 8)
        values = samples(8, 4)
        cmyk = (255 - values[..., :3]) * (255 - values[..., 3:]) / 255
        yield Case(f"tiff-cmyk-8-{end}", tiff(values, 8, 5, order), np.rint(cmyk).astype(np.uint8), None, False, 8, 1)
        data = tiff(values * 257, 16, 5, order)
        yield Case(f"tiff-cmyk-16-{end}", data, np.rint(cmyk).astype(np.uint8), None, False, 16, 1)
