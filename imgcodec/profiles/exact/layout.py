"""The layout of the profile `exact`: one section for each tile. Knows no torch."""

from imgcodec.profiles.layout import Layout

LAYOUT = Layout(stages=range(1, 2), tile_size=None, window=64)
