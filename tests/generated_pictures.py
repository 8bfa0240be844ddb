"""Image files of every kind that is read, written from known samples by code that shares nothing with the reader.

Each case says what it must become: colours and alpha of 8 bits, rounded, from the samples that went in.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from made_pictures import png_chunk
from PIL import Image

WIDTH, HEIGHT = 19, 7
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
TIFF_DEFLATE, TIFF_LZW, TIFF_PACKBITS = 8, 5, 32773
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2


@dataclass(frozen=True)
class Case:
    """A file and what it shows: pixels (H, W, 3), alpha (H, W) or None, whether it is gray, bits per sample of its
    colours; and by how much pixels may differ."""

    name: str
    data: bytes
    pixels: np.ndarray
    alpha: np.ndarray | None
    gray: bool
    bits: int
    tolerance: int = 0


def samples(bits: int, channels: int) -> np.ndarray:
    """Samples (H, W, channels) from 0 to the maximum, another pattern in each channel; not one byte in two is like the
    other."""
    y, x, channel = np.mgrid[:HEIGHT, :WIDTH, :channels]
    maximum = 2**bits - 1
    ramp = (x * (channel + 1) * 7 + y * 31 + channel * 5) % WIDTH / (WIDTH - 1)
    return np.rint(ramp * maximum).astype(np.int64)


def reduced(values: np.ndarray, bits: int) -> np.ndarray:
    """Samples of `bits` bits with 8, rounded."""
    return np.rint(values.astype(float) * 255 / (2**bits - 1)).astype(np.uint8)


def expected(values: np.ndarray, bits: int, colours: int) -> tuple[np.ndarray, np.ndarray | None]:
    narrow = reduced(values, bits)
    alpha = narrow[..., colours] if values.shape[2] > colours else None
    return np.broadcast_to(narrow[..., :colours], (HEIGHT, WIDTH, 3)), alpha


def packed(rows: np.ndarray, bits: int, order: str = ">") -> list[bytes]:
    """The bytes of each row of samples, the first sample in the highest bits; of 16 bits, in a byte order."""
    flat = rows.reshape(len(rows), -1)
    if bits in (8, 16, 32):
        return [row.astype(f"{order}u{bits // 8}").tobytes() for row in flat]
    places = np.arange(bits)[::-1]
    return [np.packbits((row[:, None] >> places & 1).astype(np.uint8)).tobytes() for row in flat]


# PNG


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


def palette(bits: int) -> np.ndarray:
    index = np.arange(2**bits)[:, None]
    return ((index * [97, 31, 57] + [200, 3, 90]) % 256).astype(np.uint8)


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


# TIFF


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


# Netpbm


def pnm_cases() -> Iterator[Case]:
    for channels, gray in ((1, True), (3, False)):
        for maximum in (1, 15, 255, 1023, 65535):
            bits = maximum.bit_length()
            values = samples(bits, channels)
            pixels, _ = expected(values, bits, channels)
            head = b"%d %d\n%d\n" % (WIDTH, HEIGHT, maximum)
            raw = b"".join(packed(values, 16 if maximum > 255 else 8))
            yield Case(
                f"pnm-{channels}-{maximum}", b"P%d\n" % (5 if gray else 6) + head + raw, pixels, None, gray, bits
            )
            plain = " ".join(map(str, values.ravel())).encode() + b"\n"
            yield Case(
                f"pnm-{channels}-{maximum}-plain",
                b"P%d\n" % (2 if gray else 3) + head + plain,
                pixels,
                None,
                gray,
                bits,
            )
    values = samples(1, 1)
    pixels, _ = expected(1 - values, 1, 1)  # 1 is black
    head = b"%d %d\n" % (WIDTH, HEIGHT)
    yield Case("pnm-bitmap", b"P4\n" + head + b"".join(packed(values, 1)), pixels, None, True, 1)
    yield Case(
        "pnm-bitmap-plain", b"P1\n" + head + " ".join(map(str, values.ravel())).encode() + b"\n", pixels, None, True, 1
    )


# BMP


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


# Others


def qoi_cases() -> Iterator[Case]:
    for channels in (3, 4):
        values = samples(8, channels).astype(np.uint8)
        head = b"qoif" + struct.pack(">IIBB", WIDTH, HEIGHT, channels, 0)
        pixels = b"".join(bytes([0xFB + channels]) + bytes(pixel) for pixel in values.reshape(-1, channels))
        alpha = values[..., 3] if channels == 4 else None
        yield Case(f"qoi-{channels}", head + pixels + bytes(7) + b"\1", values[..., :3], alpha, False, 8)


def pillow_cases() -> Iterator[Case]:
    """Formats that only a library writes: the samples that go into it are known."""

    def file(image: Image.Image, format: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return buffer.getvalue()

    wide = samples(16, 1)[..., 0].astype(np.uint16)
    data = file(Image.fromarray(wide), "JPEG2000")
    yield Case("jpeg2000-gray-16", data, expected(wide[..., None], 16, 1)[0], None, True, 16)
    by_mode: dict[str, int] = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
    for mode, channels in by_mode.items():
        values = samples(8, channels).astype(np.uint8)
        image = Image.fromarray(values[..., 0] if channels == 1 else values, mode=mode)
        pixels, alpha = expected(values, 8, 1 if channels < 3 else 3)
        gray = channels < 3
        yield Case(f"jpeg2000-{mode}-8", file(image, "JPEG2000"), pixels, alpha, gray, 8)
        if channels > 2:
            yield Case(f"webp-{mode}", file(image, "WEBP", lossless=True, exact=True), pixels, alpha, False, 8)
            options: dict[str, object] = {"quality": 100, "subsampling": "4:4:4", "matrix_coefficients": 0}
            yield Case(f"avif-{mode}", file(image, "AVIF", **options), pixels, alpha, False, 8, 4)
        if alpha is None:
            smooth = np.broadcast_to(np.linspace(0, 255, WIDTH)[None, :, None], (HEIGHT, WIDTH, channels)).astype(
                np.uint8
            )
            image = Image.fromarray(smooth[..., 0] if channels == 1 else smooth)
            data = file(image, "JPEG", quality=100, subsampling=0)
            yield Case(f"jpeg-{mode}", data, np.broadcast_to(smooth, (HEIGHT, WIDTH, 3)), None, gray, 8, 2)
    values, colours = samples(4, 1)[..., 0].astype(np.uint8), palette(4)
    image = Image.fromarray(values)
    image.putpalette(colours.tobytes())
    yield Case("gif-palette", file(image, "GIF"), colours[values], None, False, 8)
    key = int(values[2, 3])
    alpha = np.where(values == key, 0, 255).astype(np.uint8)
    yield Case("gif-palette-key", file(image, "GIF", transparency=key), colours[values], alpha, False, 8)
    gray_values = samples(8, 1)[..., 0].astype(np.uint8)
    yield Case(
        "gif-gray", file(Image.fromarray(gray_values), "GIF"), expected(gray_values[..., None], 8, 1)[0], None, False, 8
    )


SOURCES: tuple[Callable[[], Iterator[Case]], ...] = (
    png_cases, tiff_cases, pnm_cases, bmp_cases, qoi_cases, pillow_cases,
)  # fmt: skip


def all_cases() -> list[Case]:
    return [case for source in SOURCES for case in source()]
