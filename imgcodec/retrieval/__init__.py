"""Folders of .nic files that are searched by what their pictures show, without decoding a pixel."""
