"""A picture, and the note on bits that are not among its pixels."""

import numpy as np

from imgcodec.pictures.picture import Picture, kept_exactly, reduced

DEEP = Picture(np.zeros((2, 3, 3), np.uint8), bit_depth=12, notes=["it is old", reduced(12)])


def test_sides() -> None:
    assert (DEEP.width, DEEP.height) == (3, 2)


def test_bits_that_are_known_are_not_told_as_lost() -> None:
    wide = Picture(DEEP.pixels, bit_depth=12, notes=[*DEEP.notes], wide=np.zeros((2, 3, 3), np.uint16))
    assert kept_exactly(wide).notes == ["it is old"]
    assert wide.notes == DEEP.notes
    assert kept_exactly(DEEP).notes == DEEP.notes
