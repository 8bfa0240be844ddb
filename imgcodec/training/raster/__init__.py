"""Training of the profiles with one code a place."""
