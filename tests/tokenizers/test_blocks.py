"""Sizes of transforms that no model needs are refused before anything is built."""

import pytest

from imgcodec.tokenizers.blocks import BLOCK, MAX_BLOCKS, MAX_WIDTH, check_transforms


def test_sizes_have_limits():
    check_transforms(MAX_WIDTH, (1, MAX_WIDTH), (0, MAX_BLOCKS))
    for channels, widths, blocks in (
        (0, (8, 8), (1, 1)), (8, (8, 0), (1, 1)), (MAX_WIDTH + 1, (8, 8), (1, 1)), (8, (8, MAX_WIDTH + 1), (1, 1)),
        (8, (8, 8), (-1, 1)), (8, (8, 8), (1, MAX_BLOCKS + 1)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="may"):
            check_transforms(channels, widths, blocks)
    assert BLOCK == 16
