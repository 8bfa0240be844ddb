"""Pictures of any size through transforms of fixed windows: cut with an overlap, blended back without seams.

Windows begin and end at multiples of the coarsest stride. Each token is taken from one window, as far from that
window's border as it can be; each pixel in an overlap is the mean of both windows, weighted by a linear ramp.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imgcodec.tokenizers.protocol import RasterTokenizer

WINDOW, OVERLAP = 256, 32  # pixels, where the coarsest stride allows it
BATCH = 8

Span = tuple[int, int]


def encode_windows(
    tokenizer: RasterTokenizer, pixels: NDArray[np.uint8], device: torch.device
) -> list[NDArray[np.int32]]:
    """Pixels uint8 (H, W, 3) -> tokens int32 (1, rows, columns) of each stage, H and W rounded up to multiples of the
    coarsest stride."""
    whole = tokenizer.strides[0]
    height, width = (-(-length // whole) * whole for length in pixels.shape[:2])
    stages = [np.empty((1, height // s, width // s), np.int32) for s in tokenizer.strides]
    down, across = spans(height, whole), spans(width, whole)
    kept_across = _kept(across, whole)
    for rows, keep_rows in zip(down, _kept(down, whole), strict=True):
        for batch in _batches(across):
            windows = torch.stack([_window(pixels, rows, across[i]) for i in batch]).to(device)
            tokens = tokenizer.encode(windows.permute(0, 3, 1, 2).float().div_(255))
            for position, i in enumerate(batch):
                for stage, found, stride in zip(stages, tokens, tokenizer.strides, strict=True):
                    (y0, y1), (x0, x1) = (tuple(n // stride for n in k) for k in (keep_rows, kept_across[i]))
                    top, left = y0 - rows[0] // stride, x0 - across[i][0] // stride
                    part = found[position, top : top + y1 - y0, left : left + x1 - x0]
                    stage[0, y0:y1, x0:x1] = part.to("cpu", torch.int32).numpy()
    return stages


def decode_windows(
    tokenizer: RasterTokenizer,
    stages: list[NDArray[np.int32]],
    size: tuple[int, int],
    scale: int,
    device: torch.device,
) -> NDArray[np.uint8]:
    """Tokens (1, rows, columns) of all stages, or of the first of them -> pixels uint8 (scale * H, scale * W, 3).

    size: (H, W).
    """
    whole = tokenizer.strides[0]
    height, width = (-(-length // whole) * whole for length in size)
    down, across = spans(height, whole), spans(width, whole)
    pixels = np.empty((scale * size[0], scale * size[1], 3), np.uint8)
    above = np.empty((0, scale * width, 3), np.float32)  # the overlap with the band above
    for number, (top, bottom) in enumerate(down):
        done = (down[number + 1][0] if number + 1 < len(down) else bottom) - top
        below = np.empty((scale * (bottom - top - done), scale * width, 3), np.float32)
        ramp = (np.arange(len(above), dtype=np.float32)[:, None, None] + 0.5) / max(1, len(above))
        before = np.empty((scale * (bottom - top), 0, 3), np.float32)  # the overlap with the window before
        for index, picture in _decoded(tokenizer, stages, (top, bottom), across, scale, device):
            left, right = across[index]
            ready = (across[index + 1][0] if index + 1 < len(across) else right) - left
            picture *= _ramps(across, index, scale)[:, None]
            picture[:, : before.shape[1]] += before
            before = picture[:, scale * ready :]
            columns = slice(scale * left, scale * (left + ready))
            part = picture[:, : scale * ready]
            part[: len(above)] = part[: len(above)] * ramp + above[:, columns] * (1 - ramp)
            below[:, columns] = part[scale * done :]
            region = pixels[scale * top : scale * (top + done), columns]
            region[:] = np.rint(part[: len(region), : region.shape[1]] * 255).clip(0, 255).astype(np.uint8)
        above = below
    return pixels


def _decoded(
    tokenizer: RasterTokenizer,
    stages: list[NDArray[np.int32]],
    rows: Span,
    across: list[Span],
    scale: int,
    device: torch.device,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The decoded windows of a band from left to right: index, and pixels (h, w, 3) in 0..1, not clamped."""
    for batch in _batches(across):
        columns = [across[i] for i in batch]
        tokens = [
            _tokens(stage, stride, rows, columns, device)
            for stage, stride in zip(stages, tokenizer.strides, strict=False)
        ]
        decoded = tokenizer.decode(tokens, scale).permute(0, 2, 3, 1).float().cpu().numpy()
        for i, picture in zip(batch, decoded, strict=True):
            yield i, picture.copy()


def spans(length: int, whole: int) -> list[Span]:
    """Where windows begin and end on a length that is a multiple of `whole`; no position lies in three of them."""
    overlap = -(-OVERLAP // whole) * whole
    window = max(-(-WINDOW // whole) * whole, 4 * overlap)
    starts = range(0, max(1, length - overlap), window - overlap)
    return [(start, min(start + window, length)) for start in starts]


def _kept(windows: list[Span], whole: int) -> list[Span]:
    """The part of each window whose tokens are kept: parts meet near the middle of each overlap, at a multiple of
    `whole`."""
    cuts = [right[0] + (left[1] - right[0]) // (2 * whole) * whole for left, right in pairwise(windows)]
    return list(zip([windows[0][0], *cuts], [*cuts, windows[-1][1]], strict=True))


def _ramps(windows: list[Span], index: int, scale: int) -> NDArray[np.float32]:
    """The weight of each column of a window: 1, with ramps where it overlaps its neighbours."""
    start, end = windows[index]
    weight = np.ones(scale * (end - start), np.float32)
    if index:
        shared = scale * (windows[index - 1][1] - start)
        weight[:shared] = (np.arange(shared, dtype=np.float32) + 0.5) / shared
    if index + 1 < len(windows):
        shared = scale * (end - windows[index + 1][0])
        weight[-shared:] = 1 - (np.arange(shared, dtype=np.float32) + 0.5) / shared
    return weight


def _batches(windows: list[Span]) -> Iterator[list[int]]:
    """Indices of windows, in batches of equal size, at most `BATCH` each."""
    same: list[int] = []
    for i, (start, end) in enumerate(windows):
        if same and (len(same) == BATCH or end - start != windows[same[0]][1] - windows[same[0]][0]):
            yield same
            same = []
        same.append(i)
    yield same


def _window(pixels: NDArray[np.uint8], rows: Span, columns: Span) -> Tensor:
    """A window of a picture, uint8 (h, w, 3); beyond the picture its last row and column are repeated."""
    part = pixels[rows[0] : rows[1], columns[0] : columns[1]]
    missing = (0, rows[1] - rows[0] - part.shape[0]), (0, columns[1] - columns[0] - part.shape[1]), (0, 0)
    return torch.from_numpy(np.pad(part, missing, mode="edge"))


def _tokens(stage: NDArray[np.int32], stride: int, rows: Span, columns: list[Span], device: torch.device) -> Tensor:
    """The tokens of windows in one band, int64 (windows, h, w)."""
    parts = [stage[0, rows[0] // stride : rows[1] // stride, x0 // stride : x1 // stride] for x0, x1 in columns]
    return torch.from_numpy(np.stack(parts).astype(np.int64)).to(device)
