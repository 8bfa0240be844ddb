"""What Pillow raises over a file, of any type, told from too little memory, which says nothing of the file."""

from collections.abc import Iterator
from contextlib import contextmanager

from imgcodec.bitstream.errors import CodecError


class PillowError(Exception):
    """Of what Pillow raised, which is its cause; its message is the end of a sentence."""


@contextmanager
def pillow_errors() -> Iterator[None]:
    """Makes a PillowError of whatever Pillow raises. A MemoryError stays, and so do CodecErrors, which are ours."""
    try:
        yield
    except (CodecError, MemoryError, PillowError):
        raise
    except Exception as error:
        raise PillowError(str(error).strip().rstrip(".") or "it is damaged") from error  # some have no message
