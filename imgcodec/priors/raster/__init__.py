"""The raster priors, over one code per position in raster order; the coding and the sampling of their tokens."""
