"""Training of the profile `photo`: objective, recipe, and export to a model file."""
