"""The layout of the profile `raster`: one token per position of each stage, tiles of 256 pixels. Knows no torch."""

from imgcodec.profiles.layout import Layout

TILE = 256
"""Pixels: the side of every tile."""

LAYOUT = Layout(stages=range(1, 9), tile_size=TILE, window=TILE, is_grouped=False)
