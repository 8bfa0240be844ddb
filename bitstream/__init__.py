"""The file: container, sections and entropy coding. Knows numpy and nothing of pictures, networks or torch.

    errors.py      what can go wrong
    cursor.py      bytes read from front to back, and the variable-length integer
    limits.py      what a reader is willing to take on
    header.py      the header
    payload.py     what is inside the sections that hold no tokens
    sections.py    the kinds of sections, a row of a table each
    container.py   the file as a whole: header, sections, checksums, limits
    decodable.py   whether this version decodes a file, before a model is looked for
    entropy.py     integers to bytes and back under frozen frequency tables

The specification is `docs/format.md`.
"""

from imgcodec.bitstream.container import (
    Container,
    Entry,
    Gap,
    Salvage,
    read,
    salvage,
    write,
)
from imgcodec.bitstream.entropy import FrequencyTables, RangeDecoder, RangeEncoder
from imgcodec.bitstream.errors import CodecError, InvalidFileError, ModelNotFoundError, UsageError
from imgcodec.bitstream.header import ColourMode, Header, Profile, Rectangle, Tune
from imgcodec.bitstream.limits import Limits
from imgcodec.bitstream.payload import (
    pack,
    pack_alpha,
    pack_density,
    unpack,
    unpack_alpha,
    unpack_density,
)
from imgcodec.bitstream.sections import Section, SectionType

__all__ = [
    "CodecError",
    "ColourMode",
    "Container",
    "Entry",
    "FrequencyTables",
    "Gap",
    "Header",
    "InvalidFileError",
    "Limits",
    "ModelNotFoundError",
    "Profile",
    "RangeDecoder",
    "RangeEncoder",
    "Rectangle",
    "Salvage",
    "Section",
    "SectionType",
    "Tune",
    "UsageError",
    "pack",
    "pack_alpha",
    "pack_density",
    "read",
    "salvage",
    "unpack",
    "unpack_alpha",
    "unpack_density",
    "write",
]
