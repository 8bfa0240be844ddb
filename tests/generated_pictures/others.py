"""Netpbm, QOI, and the formats that only a library writes."""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from generated_pictures.case import HEIGHT, WIDTH, Case, expected, packed, palette, samples


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
