"""Pillow's plugins for WebP and AVIF, whose libraries are loaded when they are needed first, late in a command.

Where memory is short then, that fails, and Pillow takes it for a build without the format: a file in WebP would be no
picture, and writing one a KeyError. Where it is short later, the libraries say so in words of their own.
"""

import io
import re
from functools import cache
from importlib import import_module

from PIL import Image

PLUGINS = {"WEBP": ("_webp", "WebPImagePlugin"), "AVIF": ("_avif", "AvifImagePlugin")}
"""Of Pillow's formats that have a library of their own: its module, and the plugin."""
NO_MEMORY = re.compile("allocate memory|failed to map|cannot map", re.IGNORECASE)
"""What the loader of libraries says."""
NO_MEMORY_TO_ENCODE = re.compile("^encoding error [12]$|Out of memory")
"""What Pillow says where libwebp has too little, and where libavif has."""


@cache
def load_plugin(format: str) -> None:
    """Loads the plugin of a format; of one without a library of its own, and in a Pillow without the library, nothing.
    Raises MemoryError."""
    if format not in PLUGINS:
        return
    library, plugin = PLUGINS[format]
    try:
        import_module(f"PIL.{library}")  # before the plugin, which would go without it
        import_module(f"PIL.{plugin}")
    except ImportError as error:
        if NO_MEMORY.search(str(error)):
            raise MemoryError(str(error)) from error


def save(image: Image.Image, format: str, **options: object) -> bytes:
    """The bytes of an image file. Raises MemoryError, and what Pillow raises."""
    load_plugin(format)
    buffer = io.BytesIO()
    try:
        image.save(buffer, format, **options)
    except (ValueError, RuntimeError) as error:
        if NO_MEMORY_TO_ENCODE.search(str(error)):
            raise MemoryError(str(error)) from error
        raise
    return buffer.getvalue()
