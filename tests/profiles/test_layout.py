"""Layouts: which headers a profile has."""

from dataclasses import replace

import pytest

from imgcodec.bitstream.errors import UsageError
from imgcodec.bitstream.header import ColourMode, Header, Profile, Tune
from imgcodec.profiles import PROFILES
from imgcodec.profiles.layout import LARGEST_TILE, Layout

HEADER = Header(
    width=300, height=200, colour_mode=ColourMode.RGB, bit_depth=8, profile=Profile.RASTER, tune=Tune.PSNR, quality=0,
    tile_size=256, stage_count=2, codebook_id=bytes(8),
)  # fmt: skip
LAYOUT = Layout(stages=range(2, 5), tile_size=256, window=256)


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_headers_of_the_layout_pass(stages):
    LAYOUT.check(replace(HEADER, stage_count=stages))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stage_count": 1}, r"^The file has 1 stages, and those of its profile have 2 to 4\.$"),
        ({"stage_count": 5}, r"^The file has 5 stages"),
        ({"tile_size": 0}, r"^The file has tiles of 0 pixels, and those of its profile have 256\.$"),
        ({"tile_size": 512}, r"^The file has tiles of 512 pixels"),
    ],
)
def test_other_headers_are_refused_in_a_sentence(change, message):
    with pytest.raises(UsageError, match=message):
        LAYOUT.check(replace(HEADER, **change))


def test_a_tile_counts_with_its_padding_to_windows():
    free = Layout(stages=range(2, 3), tile_size=None, window=256)
    free.check(replace(HEADER, width=1, height=LARGEST_TILE // 256, tile_size=0))
    with pytest.raises(UsageError, match="over the limit of 4194304 pixels"):
        free.check(replace(HEADER, width=1, height=LARGEST_TILE // 256 + 1, tile_size=0))


def test_layouts_of_the_profiles():
    assert PROFILES[Profile.PHOTO].layout.tile_size is None
    assert PROFILES[Profile.RASTER].layout.tile_size == 256
    assert PROFILES[Profile.SEMANTIC].layout.tile_size == 0
    assert [list(PROFILES[profile].layout.stages) for profile in PROFILES] == [[2], list(range(1, 9)), [1], [1]]
    assert PROFILES[Profile.EXACT].layout.tile_size is None


def test_a_layout_without_windows_takes_tiles_of_any_size():
    free = Layout(stages=range(2, 3), tile_size=0, window=None)
    free.check(replace(HEADER, width=2**31, height=2**31, tile_size=0))
