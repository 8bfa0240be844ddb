"""Model files: finding, loading and verifying them, as untrusted input."""
