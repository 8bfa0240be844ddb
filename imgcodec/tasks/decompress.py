"""Files to pictures: whole ones, and what is left of damaged or cut ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imgcodec.bitstream.container import Container, Salvage
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.pictures import io, sections
from imgcodec.profiles import PROFILES
from imgcodec.profiles.decodable import read_decodable, salvage_decodable
from imgcodec.profiles.semantic.drawing import Drawing, at_size
from imgcodec.storage import pairs
from imgcodec.storage.pairs import Pair
from imgcodec.tasks.reading import Models, read_nic


@dataclass(frozen=True)
class DecompressSettings:
    """How files are decompressed. model: None for that which a file names. drawing: what is asked of a drawn picture,
    by the names of `Drawing`."""

    model: str | None = None
    scale: int = 1
    strip: bool = False
    allow_damaged: bool = False
    allow_partial: bool = False
    drawing: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    max_pixels: int = DEFAULT_LIMITS.pixels


@dataclass(frozen=True)
class OpenedFile:
    """A file that was read. salvage: what is left of it, where damage and cuts are allowed."""

    file: Container
    salvage: Salvage | None
    drawing: Drawing

    @property
    def bytes(self) -> int:
        """Of header and sections."""
        return self.file.header_size + sum(entry.size for entry in self.file.entries)

    @property
    def is_drawn(self) -> bool:
        return self.file.header.profile == Profile.SEMANTIC


@dataclass(frozen=True)
class Decompressed:
    """A picture that was made. input_bytes: of its .nic file; bytes: of the picture's. lines: what there is to say of
    it. is_whole: False where the file is damaged or cut, and that was not all allowed."""

    source: str
    output: str
    width: int
    height: int
    bytes: int
    input_bytes: int
    lines: list[str]
    is_whole: bool

    def to_json(self) -> dict[str, object]:
        """As a program reads it."""
        return {
            "input": self.source,
            "output": self.output,
            "input_bytes": self.input_bytes,
            "width": self.width,
            "height": self.height,
            "bytes": self.bytes,
            "whole": self.is_whole,
            "notes": self.lines,
        }

    @property
    def summary(self) -> str:
        """A line for people."""
        return f"{self.output}: {self.width} x {self.height}, {self.bytes} bytes"


def open_file(source: str, settings: DecompressSettings) -> OpenedFile:
    """Reads a file; knows no torch, so that a bad one fails before that is imported. Raises as `read_nic`, and
    UsageError for a drawing of what is not drawn."""
    most, salvage = settings.max_pixels, None
    limits = Limits(pixels=most)
    if settings.allow_damaged or settings.allow_partial:
        salvage = read_nic(source, limits, lambda data: salvage_decodable(data, most))
    file = salvage.file if salvage else read_nic(source, limits, lambda data: read_decodable(data, most))
    if settings.drawing and file.header.profile != Profile.SEMANTIC:
        asked = next(iter(settings.drawing))
        raise UsageError(f"--{asked} is for files of the profile semantic, whose pictures are drawn.")
    drawing = Drawing(**settings.drawing)
    if drawing.size is not None:
        file = at_size(file, drawing.size)
    return OpenedFile(file, salvage, drawing)


@dataclass(frozen=True)
class Decompressor:
    """Decompresses files, each with the model that it names."""

    settings: DecompressSettings
    models: Models

    def __call__(self, item: Pair) -> Decompressed:
        """Makes the output of a pair. Raises as `open_file`, `decode_picture`, `recover_picture`, `io.encode` and
        `files.write`."""
        return self.decompress(open_file(item.source, self.settings), item)

    def decompress(
        self, opened: OpenedFile, item: Pair, advance: Callable[[float], None] | None = None
    ) -> Decompressed:
        """Writes the picture of a file. advance: called with shares of the work, as they are done."""
        from imgcodec.codec import decode_picture, recover_picture

        how, salvage = self.settings, opened.salvage
        codec = self.models.of(opened.file.header)
        if opened.is_drawn:
            from imgcodec.profiles.semantic.codec import with_drawing

            codec = with_drawing(codec, opened.drawing)
        if advance is not None:
            codec = codec.watched(advance)
        found = recover_picture(codec, salvage) if salvage else None
        if found and found.is_damaged and not how.allow_damaged:
            raise InvalidFileError("The file is damaged, not only cut short; --allow-damaged shows what is left of it.")
        picture = found.picture if found else decode_picture(codec, opened.file, how.scale, how.max_pixels)
        data, notes = io.encode(sections.strip(picture) if how.strip else picture, io.format_of(item.output))
        pairs.write(item, data)
        about = [PROFILES[opened.file.header.profile].note, *(found.notes if found else ())]
        lines = [f"{item.source}: {note}." for note in about if note] + [f"{item.output}: {note}." for note in notes]
        is_whole = not found or not (found.is_damaged or (found.is_cut and not how.allow_partial))
        return Decompressed(
            item.source, item.output, picture.width, picture.height, len(data), opened.bytes, lines, is_whole
        )


def open_decompressor(settings: DecompressSettings) -> Decompressor:
    """Loads nothing yet: each file says which model it needs."""
    return Decompressor(settings, Models(settings.model, settings.device))
