"""Training of the profile `photo`."""
