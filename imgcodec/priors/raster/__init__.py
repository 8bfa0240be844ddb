"""The priors over one code a place, in raster order, and how their tokens are coded and drawn."""
