"""The profile `raster`: one token per position, coded in raster order. Its models are snac, svqvae, pixelcnn, bsq."""
