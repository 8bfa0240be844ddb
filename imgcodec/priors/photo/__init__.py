"""The prior of the profile `photo`, the coding of its tokens, and the encoder's choice of them."""
