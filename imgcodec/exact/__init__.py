"""Exact pixels: samples to bytes and back, without a loss and without a model (`docs/format.md`, section 9).

    tile.py            the data of a tile, by the smaller of two methods
    vp8l.py            what lossless WebP files have: for drawings, text, charts, screens
    predicted.py       differences from predictions, for photographs and for 16 bits
    interpolation.py   the predictions, from a coarse grid to a fine one
    weights.py         their weights, fitted to each tile
    tables.py          the frequency tables of the differences

Knows the bitstream, NumPy and, for VP8L, Pillow; no torch.
"""
