"""The layout of the profile `photo`: two stages, tiles of any size. Knows no torch."""

from imgcodec.profiles.layout import Layout

REDUCTIONS = (64, 16, 8)  # see `imgcodec.profiles.Row`

LAYOUT = Layout(stages=range(2, 3), tile_size=None, window=256)  # the prior's: 4 x 4 positions of stride 64
