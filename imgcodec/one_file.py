"""A picture to one file: of tokens at a quality or for a target, with given blocks exact; or without a loss.

picture ─┬─────────────────────────► analysis ──► tokens ─┬─► sections ─► file ─► read back, if asked
         └─ chosen blocks ─► exact ───────────────────────┘

What the file shows is decoded where that is asked for: to reach a likeness, and to say what is far from the picture.
`imgcodec.encoder` chooses which file it is to be.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.bitstream.header import QUALITY_UNIT, Header, Profile
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import Section
from imgcodec.codec import detokenize, header_of, read_tokens
from imgcodec.exact.blocks import enlarged
from imgcodec.exact.sections import block_sections
from imgcodec.pictures.exact_samples import colour_mode_with_alpha, sample_depth, samples_of
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import keeps, make_gray, picture_sections
from imgcodec.profiles.exact.codec import ExactCodec
from imgcodec.profiles.photo.choice import far, filled, share, smeared
from imgcodec.rate_control import FIRST_QUALITY, OutOfReachError, RateTarget, fidelity, find_quality
from imgcodec.tokens import BlockCodec, TokenCodec, Tokens


@dataclass(frozen=True)
class EncodeResult:
    """A .nic file, and facts from its encoding.

    quality: None for models of one rate. reached: where a target was set, the figure that the file has: bytes, dB or
    points. notes: what was lost of the picture, each to complete a sentence such as "photo.png: ..."
    """

    data: bytes
    header: Header
    quality: float | None
    reached: float | None
    notes: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        """Whether the file has every sample as it was."""
        return self.header.profile == Profile.EXACT


@dataclass(frozen=True)
class Settings:
    """How a picture is encoded: see `imgcodec.encoder.encode_picture`."""

    quality: float | None
    target: RateTarget | None
    tune: str | None
    effort: int
    verify: bool
    exact: bool


@dataclass(frozen=True)
class Blocks:
    """Blocks of a picture (rows, columns), and the sections that have the chosen ones exact."""

    chosen: NDArray[np.bool_]
    sections: list[Section]

    @property
    def size(self) -> int:
        """Bytes of the sections."""
        return sum(len(section.data) for section in self.sections)


@dataclass(frozen=True)
class Mixed:
    """A file of tokens, and of exact blocks where there are any.

    token_bytes: how many of its bytes are tokens. candidates: the blocks that may be drawn, None where a model has no
    exact ones.
    """

    codec: TokenCodec
    picture: Picture
    found: EncodeResult
    tokens: Tokens
    token_bytes: int
    candidates: NDArray[np.bool_] | None
    blocks: Blocks | None

    @property
    def size(self) -> int:
        return len(self.found.data)

    @cached_property
    def shown(self) -> NDArray[np.uint8]:
        """What the file decodes to."""
        decoded = detokenize(self.codec, self.tokens)
        if self.picture.gray:
            make_gray(decoded)
        return _with_blocks(decoded, self.picture.pixels, self.blocks)

    @cached_property
    def left(self) -> NDArray[np.bool_]:
        """The blocks that may be drawn and are not exact."""
        assert self.candidates is not None
        return self.candidates & ~self.blocks.chosen if self.blocks else self.candidates

    @cached_property
    def left_shown(self) -> NDArray[np.uint8]:
        """What these blocks decode to; no others are decoded for that."""
        decoded = cast(BlockCodec, self.codec).synthesise_blocks(self.tokens, self.left)
        if self.picture.gray:
            make_gray(decoded)
        return decoded

    @cached_property
    def lost(self) -> NDArray[np.bool_]:
        """Those of them that are far from the original."""
        return (
            far(self.picture.pixels, self.left_shown, self.tokens.header, self.left) if self.left.any() else self.left
        )

    def told(self, verified: bool) -> EncodeResult:
        """What was found, with a note where blocks are far from the original or smeared. verified: all blocks are
        looked at, not only those that may be drawn."""
        pixels, header, lost = self.picture.pixels, self.tokens.header, self.lost
        if self.left.any():
            lost = lost | smeared(pixels, self.left_shown, header, self.left)
        if verified:
            lost = lost | far(pixels, self.shown, header)
        if not lost.any():
            return self.found
        area = share(lost, pixels.shape[:2])
        note = f"at this quality {max(0.01, area):.0%} of its area is far from the original"
        return replace(self.found, notes=(*self.found.notes, note))


def exact_blocks(codec: TokenCodec, picture: Picture, how: Settings, chosen: NDArray[np.bool_]) -> Blocks:
    of_any_quality = header_of(codec, picture, None, how.tune)
    return Blocks(chosen, block_sections(of_any_quality, picture.pixels, chosen))


def encode_tokens(
    codec: TokenCodec,
    picture: Picture,
    how: Settings,
    candidates: NDArray[np.bool_] | None,
    blocks: Blocks | None = None,
    first: float | None = None,
) -> Mixed:
    """The file of a picture. candidates: see `Mixed`. blocks: those that are exact. first: the quality that is tried
    first for a target. Raises as `encode_picture`."""
    pixels = filled(picture.pixels, blocks.chosen) if blocks else picture.pixels
    analysis, extras = codec.analyse(pixels), picture_sections(picture)
    if how.target:
        analysis = list(analysis)  # one for all qualities that are tried
    if blocks:
        extras = [*blocks.sections, *extras]

    def encode_at(quality: float | None) -> Mixed:
        header = header_of(codec, picture, quality, how.tune)
        tokens, sections = codec.encode(header, analysis, pixels, how.effort)
        data, header = container.write(tokens.header, [*sections, *extras]), tokens.header
        known_quality = header.quality / QUALITY_UNIT if codec.has_qualities else None
        found = EncodeResult(data, header, known_quality, None, tuple(picture.notes))
        return Mixed(codec, picture, found, tokens, sum(len(section.data) for section in sections), candidates, blocks)

    mixed = _meet(how.target, encode_at, picture, blocks is not None, first) if how.target else encode_at(how.quality)
    if how.verify:
        check_file(codec, mixed.found.data, mixed.tokens, picture)
    return mixed


def _with_blocks(decoded: NDArray[np.uint8], pixels: NDArray[np.uint8], blocks: Blocks | None) -> NDArray[np.uint8]:
    """What tokens decode to, with the chosen blocks of the picture's pixels."""
    return (
        decoded if blocks is None else np.where(enlarged(blocks.chosen, decoded.shape[:2])[..., None], pixels, decoded)
    )


def _meet(
    target: RateTarget,
    encode_at: Callable[[float], Mixed],
    picture: Picture,
    has_exact: bool,
    first: float | None,
) -> Mixed:
    """The file that meets a target, with its figure: bytes, dB or points. has_exact: it has exact blocks, and may be
    nearer than asked at the lowest quality, as it is still the smallest with these. first: the quality that is tried
    first."""
    tried: dict[float, tuple[Mixed, float]] = {}
    nearness = None if target.limits_size else fidelity(target, picture.pixels)

    def measure(quality: float) -> float:
        mixed = encode_at(quality)
        figure = nearness(mixed.shown) if nearness else mixed.size
        # a copy, so that pixels are not kept of all that were tried
        tried[quality] = replace(mixed, found=replace(mixed.found, reached=figure)), figure
        return figure

    first = FIRST_QUALITY if first is None else first
    try:
        quality = find_quality(target, picture.width * picture.height, measure, first)
    except OutOfReachError:
        if target.limits_size or not has_exact or 0 not in tried or tried[0][1] < target.value:
            raise
        quality = 0
    return tried[quality][0]


def encode_exact(picture: Picture, verify: bool = False, codec: ExactCodec | None = None) -> EncodeResult:
    """The file of a picture that loses nothing. verify: reads the file back. codec: one that tells what is done."""
    codec = codec or ExactCodec()
    size = picture.width, picture.height
    header = codec.header(size, None, None, colour_mode_with_alpha(picture), sample_depth(picture))
    tokens = Tokens(header, [samples_of(picture)])
    others = replace(picture, alpha=None)
    data = container.write(header, [*codec.write(tokens), *picture_sections(others)])
    if verify:
        check_file(codec, data, tokens, others)
    return EncodeResult(data, header, None, None, tuple(picture.notes))


def check_file(codec: TokenCodec, data: bytes, tokens: Tokens, picture: Picture) -> None:
    """Raises CodecError unless a file has the tokens that were chosen, and all that a picture has besides pixels."""
    try:
        # the caller has already accepted a picture of this size
        file = container.read(data, Limits(pixels=max(DEFAULT_LIMITS.pixels, picture.width * picture.height)))
        read = read_tokens(codec, file)
        kept = keeps(file, picture)
    except InvalidFileError as error:
        raise CodecError(f"The file that was made is not sound, and was thrown away: {error}") from error
    if not kept or read.header != tokens.header or read.sha256() != tokens.sha256():
        raise CodecError("The file that was made does not decode to what was put into it, and was thrown away.")
