"""The limits of a reader: each refuses what is one beyond it, and takes what is at it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_size import FILE, header_of, refusal

from imgcodec.bitstream import container
from imgcodec.bitstream.container import write
from imgcodec.bitstream.header import write_header
from imgcodec.bitstream.limits import Limits, check_size, largest_token_section, rounded_area
from imgcodec.bitstream.sections import Section, SectionType
from imgcodec.pictures import io as image


def test_a_narrow_picture_is_counted_with_its_padding():
    """1 x 2^28 pixels are 64 x 2^28 for the tokens: 11 GiB of them."""
    check_size(2**14, 2**14, 2**28)
    check_size(1, 2**23, 2**28)
    check_size(3, 700, 2100)
    assert "too narrow" in refusal(check_size, 1, 2**28, 2**28)
    assert "too narrow" in refusal(check_size, 2**27, 2, 2**28)
    assert "too narrow" in refusal(image.load, np.zeros((1, 2**20), np.uint8), 2**20)
    assert "too narrow" in refusal(container.read, write_header(header_of(1, 2**27, 16320)))


def test_the_limit_on_token_sections_is_exact():
    largest = largest_token_section(100, 75)
    assert largest == 16 * 128 * 128
    tokens = [replace(FILE.sections[0], data=bytes(largest)), FILE.sections[1]]
    assert container.read(write(FILE.header, tokens))
    with pytest.raises(ValueError, match="stage 0, tile 0 are too many bytes"):
        write(FILE.header, [replace(tokens[0], data=bytes(largest + 1)), tokens[1]])


def test_the_limit_on_bytes_is_exact():
    small = Limits(pixels=7500)
    assert small.file_bytes == 4 * 7500 + 2**26
    padding = Section(SectionType.XMP, 0, 0, bytes(2**24))
    assert container.read(write(FILE.header, [*FILE.sections, padding]), small)
    assert "over the limit" in refusal(container.read, bytes(small.file_bytes + 1), small)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([1, 64, 256]))
def test_a_rounded_area_is_the_smallest_that_holds_the_picture(width, height, unit):
    area = rounded_area(width, height, unit)
    sides = [next(side for side in range(length, length + unit) if side % unit == 0) for length in (width, height)]
    assert area == sides[0] * sides[1]


def test_the_limit_on_pixels_is_exact():
    check_size(100, 75, 7500)
    assert refusal(check_size, 100, 75, 7499) == "The picture of 100 x 75 pixels is over the limit of 7499 pixels."
