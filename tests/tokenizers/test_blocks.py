"""Sizes of transforms that no model needs are refused before anything is built."""

import numpy as np
import pytest

from imgcodec.tokenizers.blocks import BLOCK, MAX_BLOCKS, MAX_WIDTH, check_transforms, rows_and_columns


def test_a_box_is_indexed():
    whole = np.arange(80).reshape(8, 10)
    assert np.array_equal(whole[rows_and_columns((2, 3, 4, 7))], [[23, 24, 25, 26], [33, 34, 35, 36]])


def test_sizes_have_limits():
    check_transforms(MAX_WIDTH, (1, MAX_WIDTH), (0, MAX_BLOCKS))
    for channels, widths, blocks in (
        (0, (8, 8), (1, 1)), (8, (8, 0), (1, 1)), (MAX_WIDTH + 1, (8, 8), (1, 1)), (8, (8, MAX_WIDTH + 1), (1, 1)),
        (8, (8, 8), (-1, 1)), (8, (8, 8), (1, MAX_BLOCKS + 1)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="may"):
            check_transforms(channels, widths, blocks)
    assert BLOCK == 16
