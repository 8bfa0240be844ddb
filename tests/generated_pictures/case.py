"""What a generated picture is: samples that are known, and what must become of them."""

from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 19, 7


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


def palette(bits: int) -> np.ndarray:
    index = np.arange(2**bits)[:, None]
    return ((index * [97, 31, 57] + [200, 3, 90]) % 256).astype(np.uint8)
