"""The profile `photo`: any quality, two tunes, pictures of any size."""
