"""The prior of the profile `photo`, and how its tokens are chosen and coded."""
