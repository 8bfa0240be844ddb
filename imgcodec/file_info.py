"""What a .nic file says of itself, without decoding it. Knows no torch."""

from dataclasses import dataclass

from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import CodecError
from imgcodec.bitstream.header import QUALITY_UNIT, Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits, whole
from imgcodec.bitstream.sections import SectionType
from imgcodec.bitstream.token_sections import key
from imgcodec.model_file.find import find_model_by_id
from imgcodec.profiles import PROFILES
from imgcodec.storage.files import FileLike, contents


@dataclass(frozen=True)
class SectionInfo:
    """A part of a file. name: `tokens`, `icc` ..., or `type 200` for one that this version does not know. stage, tile:
    of tokens. bytes: from `offset`, `data_bytes` of them data, the rest its frame. calls: of tokens in files of version
    2, the first call of the prior whose tokens are there, and the one behind the last; None in all others."""

    name: str
    stage: int
    tile: int
    offset: int
    bytes: int
    data_bytes: int
    calls: tuple[int, int] | None = None


@dataclass(frozen=True)
class FileInfo:
    """The facts of a .nic file. Make one with `imgcodec.info`.

    size: (width, height). mode: that of the PIL image it decodes to: L, LA, RGB or RGBA. bit_depth: of the original's
    samples. quality, tune: None for models of one rate. model: the name of the installed model that decodes it, None
    where it is not installed, and for lossless files, which need none; model_id: 16 hexadecimal digits. tile_size:
    pixels, 0 for a single tile. stages: of tokens. format_version: 1 or 2. lossless: whether the file has all samples
    as they were. bytes: of the file; those of the header and of all sections, the end among them, add up to it.
    """

    bytes: int
    size: tuple[int, int]
    mode: str
    bit_depth: int
    profile: str
    tune: str | None
    quality: float | None
    model: str | None
    model_id: str
    tile_size: int
    tile_columns: int
    tile_rows: int
    stages: int
    format_version: int
    lossless: bool
    header_bytes: int
    sections: tuple[SectionInfo, ...]

    @property
    def bpp(self) -> float:
        """Bits per pixel."""
        return 8 * self.bytes / (self.size[0] * self.size[1])


def info(data: FileLike, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> FileInfo:
    """What a .nic file says of itself; nothing is decoded, and torch is not imported.

    data: bytes, a path or a binary file object. Raises InvalidFileError for what is no whole, undamaged file, also for
    more than `max_pixels`, and UsageError for another type of it.
    """
    limits = Limits(pixels=whole("max_pixels", max_pixels))
    return describe(container.read(contents(data, limits.file_bytes), limits))


def describe(file: Container) -> FileInfo:
    """The facts of a file that is read already."""
    header = file.header
    has_qualities = PROFILES[header.profile].has_qualities  # else there are zeros in these fields
    has_alpha = header.colour_mode.has_alpha or any(section.type == SectionType.ALPHA for section in file.sections)
    try:
        model = find_model_by_id(header.codebook_id).stem
    except CodecError:
        model = None
    return FileInfo(
        bytes=file.size,
        size=(header.width, header.height),
        mode=("L" if header.colour_mode.is_gray else "RGB") + ("A" if has_alpha else ""),
        bit_depth=header.bit_depth,
        profile=header.profile.name.lower(),
        tune=header.tune.name.lower() if has_qualities else None,
        quality=header.quality / QUALITY_UNIT if has_qualities else None,
        model=model,
        model_id=header.codebook_id.hex(),
        tile_size=header.tile_size,
        tile_columns=header.tile_columns,
        tile_rows=header.tile_rows,
        stages=header.stage_count,
        format_version=header.version,
        lossless=header.profile == Profile.EXACT,
        header_bytes=file.header_size,
        sections=_sections(file),
    )


def _sections(file: Container) -> tuple[SectionInfo, ...]:
    """The parts of a file, in order."""
    header, tiles = file.header, file.tokens()
    parts = {(part.first, tile): part for tile, tokens in enumerate(tiles) for part in tokens.parts}
    found = []
    for entry in file.entries:
        stage, calls = entry.stage, None
        if entry.type == SectionType.TOKENS and header.version == 2:
            part = parts[key(header, entry.stage, entry.tile)]
            stage, calls = int(part.first >= header.first_calls), (part.first, part.end)
        found.append(SectionInfo(entry.name, stage, entry.tile, entry.offset, entry.size, entry.data_size, calls))
    return tuple(found)
