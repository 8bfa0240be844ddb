"""Pictures in and out: pixels, colour modes, metadata."""
