"""The whole pipeline on one page.

            io.load               analysis, quantization       prior + entropy coder         container.write
 photo.png ───────────► pixels ─────────────────► tokens ─────────────────────► sections ───────────────► photo.nic
                          │     float, any device   │       integers only, exact    │    lengths, checksums
                          │                         │                               │
 photo.png ◄─────────── pixels ◄───────────────── tokens ◄───────────────────── sections ◄─────────────── photo.nic
            io.encode        lookup, synthesis           prior + entropy decoder       container.read

Tokens are the narrow waist: no pixels cross it, and to their right every machine computes the same integers. What
is done between pixels and sections differs from profile to profile, and is a `TokenCodec`; all else is here. The
functions for users are in `imgcodec.api`. `imgcodec.profiles` has the table of profiles; profiles/photo/codec.py joins
what `photo` has for each arrow:

    pixels -> latent         profiles/photo/tiling.py, in pieces; tokenizers/rvq.py, the transforms
    latent -> tokens         tokenizers/rvq.py and, where the encoder may choose, priors/photo/rdoq.py
    a token's probability    priors/photo/transformer.py predicts mean and scale, priors/photo/tables.py turns them into
                             the row of a frequency table
    tokens <-> sections      priors/photo/coding.py, one function for both ways; priors/photo/streams.py makes streams
                             of what it codes, with the coders of bitstream/entropy.py
    sections <-> bytes       bitstream/container.py

Those of the profile `raster` are in profiles/raster, tokenizers and priors/raster.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgcodec import profiles
from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container, Salvage
from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.bitstream.header import QUALITY_UNIT, Header, Profile, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import PICTURE_SECTIONS, Section, SectionType, unpacks
from imgcodec.bitstream.token_sections import TileTokens
from imgcodec.exact.blocks import SIDE, Blocks
from imgcodec.exact.blocks import read as read_blocks
from imgcodec.exact.blocks import write as write_blocks
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.find import Version, find_model, find_model_by_id, version_of
from imgcodec.pictures.exact_samples import colour_mode_with_alpha, put_samples, sample_depth, samples_of
from imgcodec.pictures.io import Picture, kept_exactly
from imgcodec.pictures.sections import apply_sections, colour_mode, keeps, picture_sections
from imgcodec.profiles.exact.codec import ExactCodec
from imgcodec.profiles.photo.choice import drawn, far, flattened, share
from imgcodec.rate_control import RateTarget, fidelity, find_quality
from imgcodec.recovery import Recovery
from imgcodec.speed import keep_freed_memory
from imgcodec.tokens import Stages, TokenCodec, Tokens, check_model, check_profile, check_scale, check_tokens

if TYPE_CHECKING:
    import torch

MOST_EFFORT = 9

MANY_DRAWN = 1 / 8
"""Of the blocks of a picture. Where so many may be drawn, it may be as small without a loss."""

WORTH = 1.25
"""How many times as large a drawing may be without a loss: just below that, tokens are worse than a lossy WebP."""

SMALL_SIDE = 64
"""Pixels. A picture with both sides below this takes some hundred bytes either way, and shows single pixels."""


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


def load_codec(name_or_path: str | Path, device: "torch.device | str" = "cpu", engine: str = "auto") -> TokenCodec:
    """A model at work. device, engine: as in `imgcodec.load_model`. Raises ModelNotFoundError, UsageError for a device
    or an engine that is not there, UnusableModelError for a damaged model."""
    contents = open_contents(name_or_path)
    keep_freed_memory()
    return profiles.load_codec(contents, device, engine)


def cached_codec(name_or_path: str | Path, device: "torch.device | str" = "cpu", engine: str = "auto") -> TokenCodec:
    """As `load_codec`, but read once, as long as the file is the same."""
    return _load_version(version_of(find_model(name_or_path)), device, engine)


@lru_cache(maxsize=4)
def _load_version(version: Version, device: "torch.device | str", engine: str) -> TokenCodec:
    return load_codec(version.path, device, engine)


def codec_of(
    header: Header, name_or_path: str | Path | None = None, device: "torch.device | str" = "cpu"
) -> TokenCodec:
    """What decodes a file: its model, or that of the name; for exact files none is needed. Raises as `cached_codec`."""
    if header.profile == Profile.EXACT:
        return ExactCodec()
    return cached_codec(name_or_path or find_model_by_id(header.codebook_id), device)


# Pictures to files


def encode_picture(
    codec: TokenCodec,
    picture: Picture,
    quality: float | None = None,
    target: RateTarget | None = None,
    tune: str | None = None,
    effort: int = 1,
    verify: bool = False,
    exact: bool = True,
) -> EncodeResult:
    """The file of a picture.

    quality: 0..100; None for the model's default, which for models of one rate is all there is. target: what the file
    is to reach, instead of a quality. tune: psnr or visual; None for psnr where that is the target, else for the last
    of those that the model has. effort: 1 to 9. verify: reads the file back, and notes what is far from the original.
    exact: for models of the profile photo, small pictures and drawings that take hardly more bytes so are as of
    `encode_exact`, and blocks that tokens do not show are exact; but for targets, of which only exact files that are
    small enough take the place.

    Raises UsageError for what the model does not have, CodecError for a target that no quality reaches, and where a
    file that is read back does not give what was put into it.
    """
    if tune is None and target and target.metric == "psnr":
        tune = Tune.PSNR.name.lower()
    check_effort(codec, effort)
    codec = codec.with_gradients() if effort > 1 else codec
    header_of(codec, picture, 0.0 if target else quality, tune)  # refuses before there is work
    if exact and codec.profile == Profile.PHOTO and max(picture.width, picture.height) < SMALL_SIDE:
        found = encode_exact(kept_exactly(picture), verify)
        if target is None or target.allows(len(found.data), picture.width * picture.height):
            return found
    candidates = drawn(picture.pixels) if codec.profile == Profile.PHOTO else None
    if candidates is not None and candidates.any():
        return _encode_drawn(codec, picture, quality, target, tune, effort, verify, exact, candidates)
    found, tokens = _encode_tokens(codec, picture, quality, target, tune, effort, verify)
    if candidates is not None and verify:
        return _told(found, far(picture.pixels, detokenize(codec, tokens), tokens.header))
    return found


def _told(found: EncodeResult, lost: NDArray[np.bool_]) -> EncodeResult:
    """With a note where blocks are far from the original."""
    if not lost.any():
        return found
    area = share(lost, (found.header.height, found.header.width))
    note = f"at this quality {max(0.01, area):.0%} of its area is far from the original"
    return replace(found, notes=(*found.notes, note))


def _encode_drawn(
    codec: TokenCodec,
    picture: Picture,
    quality: float | None,
    target: RateTarget | None,
    tune: str | None,
    effort: int,
    verify: bool,
    exact: bool,
    candidates: NDArray[np.bool_],
) -> EncodeResult:
    """The file of a picture with blocks that may be drawn: without a loss where that is worth it, else with those
    blocks exact that tokens do not show. Where that may not be, or is not looked for, their share is told."""
    whole = None
    if exact and candidates.mean() >= MANY_DRAWN:
        whole = encode_exact(kept_exactly(picture), verify)
        if target and target.limits_size and target.allows(len(whole.data), picture.width * picture.height):
            return whole
    found, tokens = _encode_tokens(codec, picture, quality, target, tune, effort, verify)
    if whole and len(whole.data) <= (1 if target else WORTH) * len(found.data):
        return whole
    lost = far(picture.pixels, detokenize(codec, tokens), tokens.header)
    chosen = lost & candidates
    if not exact or target or not chosen.any():
        return _told(found, lost if verify else chosen)
    flat = replace(picture, pixels=flattened(picture.pixels, chosen))
    blocks = block_sections(tokens.header, picture.pixels, chosen)
    mixed, _ = _encode_tokens(codec, flat, quality, None, tune, effort, verify, blocks)
    if whole and len(whole.data) <= WORTH * len(mixed.data):
        return whole
    return _told(mixed, lost & ~chosen) if verify else mixed


def block_sections(header: Header, pixels: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> list[Section]:
    """The sections of the chosen blocks of pixels (H, W, 3)."""
    channels, sections = 1 if header.colour_mode.is_gray else 3, []
    for tile in range(header.tile_count):
        left, top, width, height = header.tile_rectangle(tile)
        rows, columns = slice(top // SIDE, -(-(top + height) // SIDE)), slice(left // SIDE, -(-(left + width) // SIDE))
        if chosen[rows, columns].any():
            samples = pixels[top : top + height, left : left + width, :channels]
            sections.append(Section(SectionType.EXACT, 0, tile, write_blocks(samples, chosen[rows, columns])))
    return sections


def blocks_of(file: Container) -> Iterator[Blocks]:
    """The exact blocks of a file, tile by tile. Raises InvalidFileError for what no encoder makes."""
    channels = 1 if file.header.colour_mode.is_gray else 3
    for section in file.sections:
        if section.type == SectionType.EXACT:
            yield read_blocks(section.data, file.header.tile_rectangle(section.tile), channels)


def _encode_tokens(
    codec: TokenCodec,
    picture: Picture,
    quality: float | None,
    target: RateTarget | None,
    tune: str | None,
    effort: int,
    verify: bool,
    blocks: Sequence[Section] = (),
) -> tuple[EncodeResult, Tokens]:
    """The file of a picture, and its tokens. blocks: the sections of exact ones."""
    analysis = codec.analyse(picture.pixels)
    if target:
        analysis = list(analysis)  # one for all qualities that are tried
    extras = [*blocks, *picture_sections(picture)]

    def encode_at(quality: float | None) -> tuple[Tokens, bytes]:
        header = header_of(codec, picture, quality, tune)
        tokens, sections = codec.encode(header, analysis, picture.pixels, effort)
        return tokens, container.write(tokens.header, [*sections, *extras])

    if target is None:
        (tokens, data), reached = encode_at(quality), None
    else:
        tokens, data, reached = _meet(target, codec, picture, encode_at)
    if verify:
        check_file(codec, data, tokens, picture)
    header = tokens.header
    known_quality = header.quality / QUALITY_UNIT if codec.has_qualities else None
    return EncodeResult(data, header, known_quality, reached, tuple(picture.notes)), tokens


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


def _meet(
    target: RateTarget, codec: TokenCodec, picture: Picture, encode_at: Callable[[float], tuple[Tokens, bytes]]
) -> tuple[Tokens, bytes, float]:
    """Tokens and bytes of the file that meets a target, and its figure: bytes, dB or points."""
    tried: dict[float, tuple[Tokens, bytes, float]] = {}
    nearness = fidelity(target, picture.pixels) if target.metric in ("psnr", "ssimulacra2") else None

    def measure(quality: float) -> float:
        tokens, data = encode_at(quality)
        figure = nearness(detokenize(codec, tokens)) if nearness else len(data)
        tried[quality] = tokens, data, figure
        return figure

    return tried[find_quality(target, picture.width * picture.height, measure)]


def check_effort(codec: TokenCodec, effort: int) -> None:
    """Raises UsageError for an effort out of range, and for more than 1 where there is nothing to choose."""
    if not 1 <= effort <= MOST_EFFORT:
        raise UsageError(f"The effort is {effort}, and must be a whole number between 1 and {MOST_EFFORT}.")
    if effort > 1 and not codec.has_qualities:
        raise UsageError(f"The model {codec.name} has one way to code a picture: it takes no effort.")


def header_of(codec: TokenCodec, picture: Picture, quality: float | None = None, tune: str | None = None) -> Header:
    """Of the file that a picture becomes. Raises UsageError for what the model does not have."""
    size = picture.width, picture.height
    header = codec.header(size, quality, tune_of(codec, tune), colour_mode(picture), picture.bit_depth)
    if header.tile_count * header.stage_count + len(SectionType) > DEFAULT_LIMITS.sections:
        raise UsageError(f"A picture of {size[0]} x {size[1]} takes more sections than a file can have.")
    return header


def tune_of(codec: TokenCodec, name: str | None) -> Tune | None:
    """A tune by its name; None for the model's default. Raises UsageError for one that the model does not have."""
    known = {tune.name.lower(): tune for tune in codec.tunes}
    if name is None:
        return None
    if not isinstance(name, str) or name not in known:
        raise UsageError(f"The model {codec.name} has no tune {name!r:.40}, only {' and '.join(known)}.")
    return known[name]


def tokenize(
    codec: TokenCodec, pixels: NDArray[np.uint8], quality: float | None = None, tune: str | None = None
) -> Tokens:
    """Pixels uint8 (H, W, 3) -> the tokens of their file. Raises UsageError as `encode_picture`."""
    return codec.choose(header_of(codec, Picture(pixels), quality, tune), codec.analyse(pixels))


def write_tokens(codec: TokenCodec, tokens: Tokens) -> bytes:
    """A file of these tokens. Raises UsageError where they are not of this model or not of the header's shape."""
    check_tokens(codec, tokens)
    return container.write(tokens.header, codec.write(tokens))


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


# Files to pictures


def decode_picture(
    codec: TokenCodec, file: Container, scale: int = 1, max_pixels: int = DEFAULT_LIMITS.pixels
) -> Picture:
    """The picture of a file, `scale` times its size.

    Raises InvalidFileError, also for more than `max_pixels` at this scale, ModelNotFoundError for a file of another
    model, UsageError for a scale that the model does not have.
    """
    check_scale(codec, scale)
    if scale > 1 and file.header.width * file.header.height * scale**2 > max_pixels:
        raise InvalidFileError(f"The picture has more than {max_pixels} pixels at scale {scale}.")
    return shown(codec, read_tokens(codec, file), file, scale)


def read_tokens(codec: TokenCodec, file: Container) -> Tokens:
    """The tokens of a file. Raises InvalidFileError, and ModelNotFoundError for a file of another model."""
    header = file.header
    check_model(codec, header)
    check_profile(codec, header)
    stages = codec.empty(header)
    codec.read(header, range(header.tile_count), file.tokens(), stages)
    return Tokens(header, stages)


def shown(codec: TokenCodec, tokens: Tokens, file: Container, scale: int = 1) -> Picture:
    """The picture of tokens and of the other sections of their file."""
    pixels = detokenize(codec, tokens, scale)
    for blocks in blocks_of(file):
        blocks.put_into(pixels)
    picture = apply_sections(pixels, file, scale)
    if tokens.header.profile == Profile.EXACT:
        put_samples(picture, tokens.stages[0], tokens.header.bit_depth)
    return picture


def detokenize(codec: TokenCodec, tokens: Tokens, scale: int = 1) -> NDArray[np.uint8]:
    """Tokens, or the first of their stages -> pixels uint8 (scale * H, scale * W, 3)."""
    check_profile(codec, tokens.header)
    check_scale(codec, scale)
    return codec.synthesise(tokens, scale)


def recover_picture(codec: TokenCodec, found: Salvage) -> Recovery:
    """What a damaged or cut file still shows. A lost section costs its tile, or only some of its detail.

    Raises InvalidFileError where no tile has anything left, ModelNotFoundError for a file of another model.
    """
    header, sections = found.file.header, found.file.sections
    check_model(codec, header)
    check_profile(codec, header)
    stages = codec.empty(header)
    coarse, flat, unreadable = [], [], []
    for index, tile in enumerate(found.tokens()):
        count = _read_what_decodes(codec, header, index, tile, stages)
        if count == 0:
            flat.append(index)
        elif count < len(tile.parts) or not tile.is_whole:
            coarse.append(index)
        if count < len(tile.parts):
            unreadable.append(index)
    if len(flat) == header.tile_count:
        raise InvalidFileError("The file is cut short or damaged: nothing of the picture is left.")
    others = {s.type: unpacks(s, header) for s in sections if s.type in PICTURE_SECTIONS}
    sound = tuple(s for s in sections if others.get(s.type, True) and _shows_blocks(found.file, s))
    return Recovery(
        shown(codec, Tokens(header, stages), replace(found.file, sections=sound)),
        coarse=tuple(coarse),
        flat=tuple(flat),
        unreadable=tuple(unreadable),
        left_out=(
            *(PICTURE_SECTIONS[kind].field for kind, is_sound in others.items() if not is_sound),
            *(f"section of the exact blocks of tile {s.tile}" for s in sections if not _shows_blocks(found.file, s)),
        ),
        found=found,
    )


def _shows_blocks(file: Container, section: Section) -> bool:
    """Whether a section is no exact blocks, or such as can be decoded."""
    try:
        list(blocks_of(replace(file, sections=(section,))))
    except InvalidFileError:
        return False
    return True


def _read_what_decodes(codec: TokenCodec, header: Header, index: int, tile: TileTokens, stages: Stages) -> int:
    """Reads a tile, leaving off its last parts where they do not decode. Returns how many did."""
    for count in range(len(tile.parts), 0, -1):
        try:
            codec.read(header, [index], [replace(tile, parts=tile.parts[:count])], stages)
        except InvalidFileError:
            continue
        return count
    return 0
