"""What the bytes of each file format hold besides pixels, where Pillow does not look or does not say."""
