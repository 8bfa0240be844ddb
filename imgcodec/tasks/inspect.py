"""What is said of .nic files, and whether they are sound; tokens are decoded where that is asked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import unpack_fields
from imgcodec.exact.sections import blocks_of
from imgcodec.file_info import FileInfo, describe
from imgcodec.profiles import PROFILES
from imgcodec.profiles.decodable import check_decodable
from imgcodec.tasks.reading import Models, read_nic

if TYPE_CHECKING:
    from imgcodec.tokens import TokenCodec


@dataclass(frozen=True)
class Verified:
    """A sound file. bytes: of it. tokens_sha256: None where tokens were not decoded."""

    bytes: int
    tokens_sha256: str | None


@dataclass(frozen=True)
class Verifier:
    """Checks signature, header, lengths and checksums of files; where there are models, also what is inside."""

    models: Models | None

    def __call__(self, source: str) -> Verified:
        """Raises InvalidFileError for a file that is damaged, and as `read_nic` and `Models.of`."""
        file = read_nic(source, DEFAULT_LIMITS, container.read)
        tokens = None
        if self.models is not None:
            check_decodable(file)
            codec = self.models.of(file.header)
            unpack_fields(file.sections, file.header)
            for _ in blocks_of(file):
                pass  # decoded is checked
            tokens = _tokens_sha256(file, codec)
        return Verified(file.size, tokens)


@dataclass(frozen=True)
class Described:
    """What a file says of itself. note: what there is to know of its profile. tokens_sha256: where it was asked for."""

    info: FileInfo
    note: str | None
    tokens_sha256: str | None


@dataclass(frozen=True)
class Describer:
    """Reads what files say of themselves; where there are models, also their tokens."""

    models: Models | None
    max_pixels: int = DEFAULT_LIMITS.pixels

    def __call__(self, source: str) -> Described:
        """Raises as `Verifier`."""
        limits = Limits(pixels=self.max_pixels)
        file = read_nic(source, limits, lambda data: container.read(data, limits))
        tokens = None
        if self.models is not None:
            check_decodable(file, limits)
            tokens = _tokens_sha256(file, self.models.of(file.header))
        return Described(describe(file), PROFILES[file.header.profile].note, tokens)


def open_verifier(model: str | None, decode: bool) -> Verifier:
    """decode: also tokens, exact blocks, alpha and metadata. model: of all files; None for that which each names."""
    return Verifier(Models(model) if decode else None)


def open_describer(model: str | None, tokens: bool, max_pixels: int) -> Describer:
    """tokens: whether they are decoded. model: of all files; None for that which each names."""
    return Describer(Models(model) if tokens else None, max_pixels)


def _tokens_sha256(file: Container, codec: "TokenCodec") -> str:
    from imgcodec.codec import read_tokens

    return read_tokens(codec, file).sha256()
