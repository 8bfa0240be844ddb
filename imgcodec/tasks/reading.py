"""A .nic file as commands read it, and the model that it asks for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from imgcodec.bitstream.cursor import Slices
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import SIGNATURE, Header, Profile
from imgcodec.bitstream.limits import Limits
from imgcodec.storage import files

if TYPE_CHECKING:
    from imgcodec.tokens import TokenCodec

Parsed = TypeVar("Parsed")

MOST_TO_TELL = 2**26
"""Bytes of a file that are read to tell whether it is a picture."""


@dataclass
class Models:
    """The models of files, each loaded when the first file asks for it. name: the one for all files, or None for that
    which each file names. engine: as in `imgcodec.load_model`."""

    name: str | None = None
    device: str = "cpu"
    engine: str = "auto"
    loaded: "dict[bytes, TokenCodec]" = field(default_factory=dict)

    def of(self, header: Header) -> "TokenCodec":
        """The model that decodes a file. Raises ModelNotFoundError where it is not installed."""
        from imgcodec.codec import begin_codec, codec_of
        from imgcodec.model_file.find import find_model_by_id

        if header.profile == Profile.EXACT:
            return codec_of(header)
        id = header.codebook_id
        if id not in self.loaded:
            self.loaded[id] = begin_codec(self.name or find_model_by_id(id), self.device, self.engine)
        return self.loaded[id]


def read_nic(source: str, limits: Limits, parse: Callable[[bytes], Parsed]) -> Parsed:
    """What `parse` makes of a .nic file. InvalidFileErrors get its name, and a picture is told from damage."""
    data = files.read(source, limits.file_bytes)
    with named(files.name_of(source), data):
        return parse(data)


@contextmanager
def named(name: str, data: Slices) -> Iterator[None]:
    """InvalidFileErrors of a .nic file get its name, and a picture is told from damage."""
    try:
        yield
    except InvalidFileError as error:
        if data[0 : min(len(data), len(SIGNATURE))] != SIGNATURE:
            from imgcodec.pictures.io import is_image

            if is_image(data[0 : min(len(data), MOST_TO_TELL)]):
                raise InvalidFileError(
                    f"{name} is a picture, not a .nic file; imgcodec compress makes one of it."
                ) from None
        if str(error).startswith(f"{name}: "):  # as reading from an address says it
            raise
        raise InvalidFileError(f"{name}: {error}") from None
