"""Exact blocks of a picture, in sections of its tiles."""

import numpy as np
from exact.contents import make
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.header import ColourMode, Header, Profile, Tune
from imgcodec.bitstream.sections import SectionType
from imgcodec.exact.blocks import enlarged, grid
from imgcodec.exact.sections import block_sections, blocks_of


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_blocks_of_a_picture_are_in_the_sections_of_their_tiles(data):
    height, width = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 300))
    mode = data.draw(st.sampled_from([ColourMode.RGB, ColourMode.GRAY]))
    header = Header(width, height, mode, 8, Profile.PHOTO, Tune.PSNR, 0, 128, 2, bytes(8), 1)
    pixels = make("noise", (1 if mode.is_gray else 3, height, width), 255, 1).astype(np.uint8).transpose(1, 2, 0)
    pixels = np.broadcast_to(pixels, (height, width, 3))
    rows, columns = grid(height, width)
    count = rows * columns
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count))).reshape(rows, columns)
    sections = block_sections(header, pixels, chosen)
    assert {section.type for section in sections} <= {SectionType.EXACT}
    tiles = [chosen[r : r + 2, c : c + 2].any() for r in range(0, rows, 2) for c in range(0, columns, 2)]
    assert [section.tile for section in sections] == [tile for tile, has_some in enumerate(tiles) if has_some]
    canvas = np.zeros_like(pixels)
    for blocks in blocks_of(Container(header, tuple(sections), 0, ())):
        blocks.put_into(canvas)
    np.testing.assert_array_equal(canvas, np.where(enlarged(chosen, (height, width))[..., None], pixels, 0))


def test_a_picture_without_chosen_blocks_has_no_such_sections():
    header = Header(70, 70, ColourMode.RGB, 8, Profile.PHOTO, Tune.PSNR, 0, 0, 2, bytes(8), 1)
    assert block_sections(header, np.zeros((70, 70, 3), np.uint8), np.zeros((2, 2), bool)) == []
