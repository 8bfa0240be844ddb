"""Training of the profile `semantic`: an encoder that learns from a teacher and by contrast, a decoder by diffusion."""
