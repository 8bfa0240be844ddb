"""The layout of the profile `semantic`: one vector, whatever the size of the picture. Knows no torch."""

from imgcodec.profiles.layout import Layout

LAYOUT = Layout(stages=range(1, 2), tile_size=0, window=None)
