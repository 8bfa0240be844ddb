"""Pictures to files: what is coded by tokens, and what as it is.

picture ─┬─ small, or asked for ───────────────────────────► exact file
         ├─ a photograph ──────────► tokens ───────────────► file of a model
         └─ in part a drawing ─────► tokens, looked at ─┬──► the one or the other
                                                        └──► tokens of what is left, and exact blocks
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.bitstream.header import QUALITY_UNIT, Header, Profile, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import Section
from imgcodec.codec import check_effort, detokenize, header_of, read_tokens
from imgcodec.exact.sections import block_sections
from imgcodec.pictures.exact_samples import colour_mode_with_alpha, sample_depth, samples_of
from imgcodec.pictures.io import Picture, kept_exactly
from imgcodec.pictures.sections import keeps, picture_sections
from imgcodec.profiles.exact.codec import ExactCodec
from imgcodec.profiles.photo.choice import drawn, far, filled, share
from imgcodec.rate_control import RateTarget, fidelity, find_quality
from imgcodec.tokens import TokenCodec, Tokens

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


@dataclass(frozen=True)
class _Settings:
    """How a picture is encoded: see `encode_picture`."""

    quality: float | None
    target: RateTarget | None
    tune: str | None
    effort: int
    verify: bool
    exact: bool


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
    how = _Settings(quality, target, tune, effort, verify, exact)
    check_effort(codec, effort)
    codec = codec.with_gradients() if effort > 1 else codec
    header_of(codec, picture, 0.0 if target else quality, tune)  # refuses before there is work
    if exact and codec.profile == Profile.PHOTO and max(picture.width, picture.height) < SMALL_SIDE:
        found = encode_exact(kept_exactly(picture), verify)
        if target is None or target.allows(len(found.data), picture.width * picture.height):
            return found
    candidates = drawn(picture.pixels) if codec.profile == Profile.PHOTO else None
    if candidates is not None and candidates.any():
        return _encode_drawn(codec, picture, how, candidates)
    found, tokens = _encode_tokens(codec, picture, how)
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


def _encode_drawn(codec: TokenCodec, picture: Picture, how: _Settings, candidates: NDArray[np.bool_]) -> EncodeResult:
    """The file of a picture with blocks that may be drawn: without a loss where that is worth it, else with those
    blocks exact that tokens do not show. Where that may not be, or is not looked for, their share is told."""
    whole = None
    if how.exact and candidates.mean() >= MANY_DRAWN:
        whole = encode_exact(kept_exactly(picture), how.verify)
        pixels = picture.width * picture.height
        if how.target and how.target.limits_size and how.target.allows(len(whole.data), pixels):
            return whole
    found, tokens = _encode_tokens(codec, picture, how)
    if whole and len(whole.data) <= (1 if how.target else WORTH) * len(found.data):
        return whole
    lost = far(picture.pixels, detokenize(codec, tokens), tokens.header)
    chosen = lost & candidates
    if not how.exact or how.target or not chosen.any():
        return _told(found, lost if how.verify else chosen)
    others = replace(picture, pixels=filled(picture.pixels, chosen))
    blocks = block_sections(tokens.header, picture.pixels, chosen)
    mixed, _ = _encode_tokens(codec, others, how, blocks)
    if whole and len(whole.data) <= WORTH * len(mixed.data):
        return whole
    return _told(mixed, lost & ~chosen) if how.verify else mixed


def _encode_tokens(
    codec: TokenCodec, picture: Picture, how: _Settings, blocks: Sequence[Section] = ()
) -> tuple[EncodeResult, Tokens]:
    """The file of a picture, and its tokens. blocks: the sections of exact ones."""
    analysis = codec.analyse(picture.pixels)
    if how.target:
        analysis = list(analysis)  # one for all qualities that are tried
    extras = [*blocks, *picture_sections(picture)]

    def encode_at(quality: float | None) -> tuple[Tokens, bytes]:
        header = header_of(codec, picture, quality, how.tune)
        tokens, sections = codec.encode(header, analysis, picture.pixels, how.effort)
        return tokens, container.write(tokens.header, [*sections, *extras])

    if how.target is None:
        (tokens, data), reached = encode_at(how.quality), None
    else:
        tokens, data, reached = _meet(how.target, codec, picture, encode_at)
    if how.verify:
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
