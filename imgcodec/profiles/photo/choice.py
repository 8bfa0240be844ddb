"""Which blocks of a picture are better exact than as tokens: text, charts, pixel art, dithering.

A cheap test finds blocks that may be drawn. Those of them that decode to much less than photographs do at this quality
are chosen, or all of them where they may take fewer bytes exact. So nothing is chosen in photographs.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from zstandard import ZstdCompressor

from imgcodec.bitstream.header import QUALITY_UNIT, Header, Tune
from imgcodec.exact.blocks import SIDE, enlarged, grid
from imgcodec.tokenizers.rvq_config import STRIDES
from imgcodec.tokens import Stages

FEW_COLOURS = 64  # in a block of 4096 pixels
ALIKE = 0.5  # share of pixels that are the one on their left or above
EDGE, EDGES = 48, 0.01  # a difference that is one, and the share of neighbours that have it
ALTERNATING = 0.6  # the share that no photograph has (0.5 is the most among Kodak's and the development pictures),
NEAR = 12  # but noise has; in a pattern as many as ALIKE are as near to the pixel two further

# By quality 0, 25, 50, 75, 100: PSNR in dB that 95 of 100 blocks of the development pictures reach.
USUAL = {Tune.VISUAL: (18.6, 20.7, 23.8, 28.2, 34.1), Tune.PSNR: (18.5, 21.2, 26.0, 32.1, 36.0)}
MARGIN = 6.0  # dB below that, a block is far from the original
KEPT = 0.5  # a drawn block that is below that at all is smeared, if this part of its variance or more is gone

PACKED = 4  # zstandard at its fastest takes 1.1 to 3.9 times the bytes of exact blocks, and 5.6 of repeating letters

FADE = 24  # pixels inside an exact block in which what tokens show there goes over to its mean colour


def drawn(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The blocks (rows, columns) of pixels (H, W, 3) that may be drawn."""
    edges = _edges(pixels)
    found = np.zeros(edges.shape, bool)
    for row, column in np.argwhere(edges > EDGES).tolist():
        block = pixels[SIDE * row : SIDE * (row + 1), SIDE * column : SIDE * (column + 1)]
        found[row, column] = _is_plain(block) or (edges[row, column] > ALTERNATING and _alternates(block))
    return found


def _edges(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of each block the share of neighbours, across or down, between which there is an edge; the larger of the two."""
    height, width = pixels.shape[:2]
    tops, lefts = np.arange(0, height, SIDE), np.arange(0, width, SIDE)
    shares = np.zeros((len(tops), len(lefts)))
    for row, top in enumerate(tops):  # all at once would take six times the memory of the picture
        size = np.diff([*lefts, width]) * min(SIDE, height - top)
        planes = np.ascontiguousarray(pixels[top : top + SIDE + 1].transpose(2, 0, 1))
        across = planes[:, :SIDE]
        for one, other in ((planes[:, 1:], planes[:, :-1]), (across[:, :, 1:], across[:, :, :-1])):
            edges = np.zeros(width, np.int32)
            is_edge = np.logical_or.reduce(np.maximum(one, other) - np.minimum(one, other) >= EDGE)
            edges[: is_edge.shape[1]] = np.add.reduce(is_edge, 0, np.int32)
            shares[row] = np.maximum(shares[row], np.add.reduceat(edges, lefts) / size)
    return shares


def _is_plain(block: NDArray[np.uint8]) -> bool:
    colours = block.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    if _count(colours[::4, ::4]) <= FEW_COLOURS and _count(colours) <= FEW_COLOURS:
        return True
    here = colours[1:, 1:]
    return bool(((here == colours[1:, :-1]) | (here == colours[:-1, 1:])).mean() >= ALIKE)


def _count(values: NDArray[np.uint32]) -> int:
    """How many different ones there are; `np.unique` would import masked arrays, for as long as it takes to look at a
    whole picture."""
    ordered = np.sort(values, axis=None)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _alternates(block: NDArray[np.uint8]) -> bool:
    green = block[..., 1].astype(np.int16)
    steps = [step for step in (green[2:] - green[:-2], green[:, 2:] - green[:, :-2]) if step.size]
    return any((np.abs(step) < NEAR).mean() >= ALIKE for step in steps)


def far(
    pixels: NDArray[np.uint8], decoded: NDArray[np.uint8], header: Header, among: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """The blocks that are far from the original (H, W, 3): MARGIN below what photographs have at this quality. among:
    those that are looked at, None for all."""
    most = _usual_error(header, -MARGIN)
    return _where(pixels, decoded, among, lambda block, error: error > most)


def smeared(
    pixels: NDArray[np.uint8], decoded: NDArray[np.uint8], header: Header, among: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Those of the drawn blocks `among` that have lost what is drawn, and may still not be far from the original: small
    text on white at low qualities."""
    most = _usual_error(header)
    return _where(pixels, decoded, among, lambda block, error: error > max(most, (1 - KEPT) * block.var((0, 1)).mean()))


def _usual_error(header: Header, margin: float = 0.0) -> float:
    """The mean squared error of photographs at this quality, with a margin of so many dB."""
    psnr = np.interp(header.quality / QUALITY_UNIT, (0, 25, 50, 75, 100), USUAL[header.tune])
    return 255.0**2 / 10 ** ((float(psnr) + margin) / 10)


def _where(
    pixels: NDArray[np.uint8],
    decoded: NDArray[np.uint8],
    among: NDArray[np.bool_] | None,
    holds: Callable[[NDArray[np.int32], float], bool],
) -> NDArray[np.bool_]:
    """The blocks `among` all for which something holds, of the block's pixels and their mean squared error."""
    found = np.zeros(grid(*pixels.shape[:2]), bool)
    for row, column in np.argwhere(np.ones_like(found) if among is None else among).tolist():
        place = slice(SIDE * row, SIDE * (row + 1)), slice(SIDE * column, SIDE * (column + 1))
        block = pixels[place].astype(np.int32)
        found[row, column] = holds(block, float(np.square(block - decoded[place]).mean()))
    return found


def share_of_tokens(stages: Stages, zero: Stages, chosen: NDArray[np.bool_]) -> float:
    """About which part of the bits of tokens is that of the chosen blocks: mostly up to a third more than they have.
    zero: the tokens of an empty picture."""
    inside = total = 0.0
    for tokens, empty, stride in zip(stages, zero, STRIDES, strict=True):
        _, rows, columns = tokens.shape
        bits: NDArray[np.float32] = np.zeros((rows, columns), np.float32)
        for group, nothing in zip(tokens, empty, strict=True):  # all at once: seven times the memory of the picture
            bits += np.log2(1 + np.abs(group.astype(np.int32) - nothing), dtype=np.float32)
        side = SIDE // stride
        places = chosen.repeat(side, axis=0).repeat(side, axis=1)
        inside += float(bits[places[:rows, :columns]].sum())
        total += float(bits.sum())
    return inside / total if total else 0.0


def least_bytes(pixels: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> float:
    """About the fewest bytes that the chosen blocks of pixels (H, W, 3) may take exact, in a hundredth of the time that
    it takes to know."""
    pack, size = ZstdCompressor(level=1).compress, 0
    for row, column in np.argwhere(chosen).tolist():
        size += len(pack(pixels[SIDE * row : SIDE * (row + 1), SIDE * column : SIDE * (column + 1)].tobytes()))
    return size / PACKED


def filled(pixels: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) with something in place of the chosen blocks that disturbs what is beside them least: at their
    borders what lies beyond, further inside more and more of the block's mean colour."""
    found = pixels.copy()
    for row, column in np.argwhere(chosen).tolist():
        top, left = SIDE * row, SIDE * column
        block = found[top : top + SIDE, left : left + SIDE]
        height, width = block.shape[:2]
        inside = np.rint(pixels[top : top + SIDE, left : left + SIDE].mean((0, 1)))
        mixed, most = np.broadcast_to(inside, block.shape), np.zeros((height, width, 1))
        down, across = np.arange(height)[:, None, None], np.arange(width)[:, None]
        for y, x, depth in ((-1, 0, down), (1, 0, height - 1 - down), (0, -1, across), (0, 1, width - 1 - across)):
            if not _is_decoded(chosen, row + y, column + x):
                continue
            line = top - 1 if y < 0 else top + height, left - 1 if x < 0 else left + width
            beyond = pixels[line[0], left : left + width] if y else pixels[top : top + height, line[1], None]
            share = np.clip(1 - depth / FADE, 0, None)
            mixed = np.where(share > most, inside + share * (beyond - inside), mixed)
            most = np.maximum(most, share)
        block[:] = np.rint(mixed)
    return found


def _is_decoded(chosen: NDArray[np.bool_], row: int, column: int) -> bool:
    """Whether there is a block, and it is not chosen."""
    rows, columns = chosen.shape
    return 0 <= row < rows and 0 <= column < columns and not chosen[row, column]


def share(chosen: NDArray[np.bool_], size: tuple[int, int]) -> float:
    """Of the area of a picture (H, W)."""
    return float(enlarged(chosen, size).mean())
