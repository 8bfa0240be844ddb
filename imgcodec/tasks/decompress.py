"""Files to pictures: whole ones, parts of them, and what is left of damaged or cut ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import Header, Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.salvage import Salvage
from imgcodec.pictures import io, sections
from imgcodec.pictures.picture import Picture
from imgcodec.profiles import PROFILES
from imgcodec.profiles.decodable import header_of, read_decodable, region_of, salvage_decodable
from imgcodec.profiles.semantic.drawing import DrawingOptions, at_size
from imgcodec.storage import files, pairs
from imgcodec.storage.pairs import Pair
from imgcodec.tasks.reading import Models, named, read_nic


@dataclass(frozen=True)
class Part:
    """What of a picture is decoded: a region (x, y, width, height), a thumbnail of so many pixels, or without both the
    whole. See `imgcodec.decompress`."""

    region: tuple[int, int, int, int] | None = None
    thumbnail: int | None = None

    @property
    def is_part(self) -> bool:
        return self.region is not None or self.thumbnail is not None


WHOLE = Part()


@dataclass(frozen=True)
class DecompressSettings:
    """How files are decompressed. model: None for that which a file names. drawing: what is asked of a drawn picture,
    by the names of `DrawingOptions`."""

    model: str | None = None
    scale: int = 1
    strip: bool = False
    allow_damaged: bool = False
    allow_partial: bool = False
    drawing: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    engine: str = "auto"
    max_pixels: int = DEFAULT_LIMITS.pixels
    part: Part = WHOLE


@dataclass(frozen=True)
class OpenedFile:
    """A file that was read. salvage: what is left of it, where damage and cuts are allowed."""

    file: Container
    salvage: Salvage | None
    drawing: DrawingOptions

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
    drawing = DrawingOptions(**settings.drawing)
    if drawing.size is not None:
        file = at_size(file, drawing.size)
    return OpenedFile(file, salvage, drawing)


@dataclass(frozen=True)
class Decompressor:
    """Decompresses files, each with the model that it names."""

    settings: DecompressSettings
    models: Models

    def __call__(self, item: Pair) -> Decompressed:
        """Makes the output of a pair. Raises as `open_file`, `decode_picture`, `recover_picture`, `decode_region`,
        `decode_thumbnail`, `io.encode` and `files.write`."""
        if self.settings.part.is_part:
            return self._decompress_part(item)
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
            from imgcodec.tokens import check_model

            check_model(codec, opened.file.header)
            codec = with_drawing(codec, opened.drawing)
        if advance is not None:
            codec = codec.watched(advance)
        found = recover_picture(codec, salvage) if salvage else None
        if found and found.is_damaged and not how.allow_damaged:
            raise InvalidFileError("The file is damaged, not only cut short; --allow-damaged shows what is left of it.")
        picture = found.picture if found else decode_picture(codec, opened.file, how.scale, how.max_pixels)
        is_whole = not found or not (found.is_damaged or (found.is_cut and not how.allow_partial))
        losses = found.notes if found else ()
        return self._written(item, opened.file.header, picture, opened.file.size, losses, is_whole)

    def _decompress_part(self, item: Pair) -> Decompressed:
        how, part = self.settings, self.settings.part
        with (
            files.opened(item.source, Limits(pixels=how.max_pixels).file_bytes) as data,
            named(files.name_of(item.source), data),
        ):
            header = header_of(data)
            place = None if part.region is None else region_of(header, *part.region)
            from imgcodec.parts import decode_region, decode_thumbnail

            codec = self.models.of(header)
            if place is not None:
                picture = decode_region(codec, data, place, how.max_pixels)
            else:
                assert part.thumbnail is not None
                picture = decode_thumbnail(codec, data, part.thumbnail, how.max_pixels)
            return self._written(item, header, picture, len(data))

    def _written(
        self,
        item: Pair,
        header: Header,
        picture: Picture,
        input_bytes: int,
        losses: Sequence[str] = (),
        is_whole: bool = True,
    ) -> Decompressed:
        """Writes a picture. losses: of its file."""
        stripped = sections.strip(picture) if self.settings.strip else picture
        data, notes = io.encode(stripped, io.format_of(item.output), is_photograph=header.profile != Profile.EXACT)
        pairs.write(item, data)
        about = [PROFILES[header.profile].note, *losses]
        lines = [f"{item.source}: {note}." for note in about if note] + [f"{item.output}: {note}." for note in notes]
        return Decompressed(
            item.source, item.output, picture.width, picture.height, len(data), input_bytes, lines, is_whole
        )


def open_decompressor(settings: DecompressSettings) -> Decompressor:
    """Loads nothing yet: each file says which model it needs."""
    return Decompressor(settings, Models(settings.model, settings.device, settings.engine))
