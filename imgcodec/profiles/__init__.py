"""The profiles of files, a folder each: how pictures become tokens and sections, and back."""
