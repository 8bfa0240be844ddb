"""The sizes of transforms over blocks of pixels (`imgcodec.tokenizers.transforms`). Knows no torch."""

BLOCK = 16

Box = tuple[int, int, int, int]
"""Positions of a map, or pixels: first row, first column, end of rows, end of columns."""


def rows_and_columns(box: Box) -> tuple[slice, slice]:
    """For indexing."""
    top, left, bottom, right = box
    return slice(top, bottom), slice(left, right)


# No model needs more, and untrusted configurations are checked before anything of their size is built.
MAX_WIDTH = 2**12
MAX_BLOCKS = 64


def check_transforms(channels: int, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
    """Raises ValueError for transforms with layers too narrow or too wide, or with too many of them."""
    if min(channels, *widths) < 1 or max(channels, *widths) > MAX_WIDTH:
        raise ValueError(f"latents and layers may be 1 to {MAX_WIDTH} wide")
    if min(blocks) < 0 or max(blocks) > MAX_BLOCKS:
        raise ValueError(f"a transform may have {MAX_BLOCKS} blocks of each kind")
