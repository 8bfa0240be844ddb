"""Pillow's limit on pixels, switched off while we read. It warns at 89 and refuses at 178 megapixels; ours is exact.

It is a global variable, so one thread at a time may replace it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_lock = threading.Lock()
_replaced: list[int | None] = []  # the limit, while it is off


@contextmanager
def without_pillow_limit() -> Iterator[None]:
    """Switches the limit off, and on again as it was."""
    with _lock:
        _replaced.append(Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            _restore()


def _restore() -> None:
    for limit in _replaced:
        Image.MAX_IMAGE_PIXELS = limit
    _replaced.clear()


def _forget_other_threads() -> None:
    """In a forked child, which has none of the threads that were reading and would unlock."""
    global _lock
    _lock = threading.Lock()
    _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
