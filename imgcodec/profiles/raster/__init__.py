"""The profiles with one code a place, which go through the prior in raster order: snac, svqvae, pixelcnn, bsq."""
