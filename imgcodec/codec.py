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

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgcodec import profiles
from imgcodec.addresses import check_addresses
from imgcodec.bitstream import container
from imgcodec.bitstream.container import Container
from imgcodec.bitstream.errors import InvalidFileError, UsageError
from imgcodec.bitstream.header import Header, Profile, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.bitstream.salvage import Salvage
from imgcodec.bitstream.sections import PICTURE_SECTIONS, Section, SectionType, unpacks
from imgcodec.bitstream.token_sections import TileTokens
from imgcodec.exact.sections import blocks_of
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.find import Version, find_model, find_model_by_id, version_of
from imgcodec.pictures.exact_samples import put_samples
from imgcodec.pictures.picture import Picture
from imgcodec.pictures.sections import apply_sections, colour_mode
from imgcodec.profiles.exact.codec import ExactCodec
from imgcodec.recovery import Recovery
from imgcodec.speed import keep_freed_memory
from imgcodec.tokens import Stages, TokenCodec, Tokens, check_model, check_profile, check_scale, check_tokens, described

if TYPE_CHECKING:
    import torch

MOST_EFFORT = 9


def load_codec(name_or_path: str | Path, device: "torch.device | str" = "cpu", engine: str = "auto") -> TokenCodec:
    """A model at work. device, engine: as in `imgcodec.load_model`. Raises ModelNotFoundError, UsageError for a device
    or an engine that is not there, UnusableModelError for a damaged model."""
    codec, check = _begin(name_or_path, device, engine)
    check()
    return codec


def begin_codec(name_or_path: str | Path, device: "torch.device | str" = "cpu", engine: str = "auto") -> TokenCodec:
    """As `load_codec`, but known-answer tests may still run, and what is to be done before tokens can be done
    meanwhile. Where a test fails, what depends on it raises UnusableModelError."""
    return _begin(name_or_path, device, engine)[0]


def _begin(
    name_or_path: str | Path, device: "torch.device | str", engine: str
) -> tuple[TokenCodec, Callable[[], None]]:
    check_addresses()
    keep_freed_memory()
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(open_contents, name_or_path)
        profiles.import_graphs(device, engine)
        return profiles.begin_codec(reading.result(), device, engine)


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


def check_effort(codec: TokenCodec, effort: int) -> None:
    """Raises UsageError for an effort out of range, and for more than 1 where there is nothing to choose."""
    if not 1 <= effort <= MOST_EFFORT:
        raise UsageError(f"The effort is {effort}, and must be a whole number between 1 and {MOST_EFFORT}.")
    if effort > 1 and not codec.has_qualities:
        raise UsageError(f"{described(codec)} has one way to code a picture: it takes no effort.")


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
        raise UsageError(f"{described(codec)} has no tune {name!r:.40}, only {' and '.join(known)}.")
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
