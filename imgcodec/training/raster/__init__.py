"""Training of the raster models: objectives, recipe, and export to a model file."""
