"""Pictures to files: what is coded by tokens, and what as it is.

picture ─┬─ small, or asked for ───────────────────────────► exact file
         ├─ a photograph ──────────► tokens ───────────────► file of a model
         └─ in part a drawing ─────► tokens, looked at ─┬──► the one or the other
                                                        └──► tokens of what is left, and exact blocks
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.bitstream.header import QUALITY_UNIT, Header, Profile, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.bitstream.sections import Section
from imgcodec.codec import check_effort, detokenize, header_of, read_tokens
from imgcodec.exact.blocks import enlarged
from imgcodec.exact.sections import block_sections
from imgcodec.pictures.exact_samples import colour_mode_with_alpha, sample_depth, samples_of
from imgcodec.pictures.io import Picture, kept_exactly
from imgcodec.pictures.sections import keeps, make_gray, picture_sections
from imgcodec.profiles.exact.codec import ExactCodec
from imgcodec.profiles.photo.choice import drawn, far, filled, least_bytes, share, share_of_tokens, smeared
from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.rate_control import FIRST_QUALITY, OutOfReachError, RateTarget, fidelity, find_quality
from imgcodec.tokens import TokenCodec, Tokens

MANY_DRAWN = 1 / 8
"""Of the blocks of a picture. Where so many may be drawn, it may be as small without a loss."""

WORTH = 1.25
"""How many times as large a drawing may be without a loss: just below that, tokens are worse than a lossy WebP."""

WORTH_TO_OTHERS = 1.5
"""With a target, how many times as large blocks may be without a loss: then the others have to do less for it."""

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
    `encode_exact`, and drawn blocks are exact that take fewer bytes so, or that tokens do not show; with a target where
    the file is the better for it, or is the only one that meets it.

    Raises UsageError for what the model does not have, CodecError for a target that no file meets, and where a file
    that is read back does not give what was put into it.
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
    try:
        mixed = _encode_tokens(codec, picture, how, candidates)
    except OutOfReachError as error:
        if candidates is None or not exact:
            raise
        return _encode_nearer(codec, picture, how, candidates, error)
    return mixed.told(verified=True) if candidates is not None and verify else mixed.found


@dataclass(frozen=True)
class _Blocks:
    """Blocks of a picture (rows, columns), and the sections that have the chosen ones exact."""

    chosen: NDArray[np.bool_]
    sections: list[Section]

    @property
    def size(self) -> int:
        """Bytes of the sections."""
        return sum(len(section.data) for section in self.sections)


@dataclass(frozen=True)
class _Mixed:
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
    blocks: _Blocks | None

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
        return cast(PhotoCodec, self.codec).synthesise_blocks(self.tokens, self.left)

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


def _encode_drawn(codec: TokenCodec, picture: Picture, how: _Settings, candidates: NDArray[np.bool_]) -> EncodeResult:
    """The file of a picture with blocks that may be drawn: without a loss where that is worth it, else with all of them
    exact where that takes fewer bytes, else with those exact that tokens do not show. Where that may not be, or is not
    worth it, their share is told."""
    whole = None
    if how.exact and candidates.mean() >= MANY_DRAWN:
        whole = encode_exact(kept_exactly(picture), how.verify)
        if how.target and how.target.limits_size and how.target.allows(len(whole.data), picture.width * picture.height):
            return whole
    try:
        best = _encode_tokens(codec, picture, how, candidates)
    except OutOfReachError as error:
        if not how.exact:
            raise
        return _encode_nearer(codec, picture, how, candidates, error, whole)
    if how.exact:
        cheap = _cheap_blocks(best, how, candidates)
        worth = 1 if how.target else WORTH
        if whole and len(whole.data) <= worth * min(best.size, cheap.size if cheap else best.size):
            return whole
        best = _with_exact_blocks(best, how, candidates, cheap)
        if whole and len(whole.data) <= worth * best.size:
            return whole
    return best.told(how.verify)


def _cheap_blocks(plain: _Mixed, how: _Settings, candidates: NDArray[np.bool_]) -> _Blocks | None:
    """All blocks that may be drawn, if they may take fewer bytes exact than as tokens; with a target WORTH_TO_OTHERS
    times as many. Found by estimates before they are encoded: in photographs they take many times as many."""
    zero = plain.codec.empty(plain.tokens.header)
    most = plain.token_bytes * share_of_tokens(plain.tokens.stages, zero, candidates)
    most *= WORTH_TO_OTHERS if how.target else 1
    if least_bytes(plain.picture.pixels, candidates) > most:
        return None
    blocks = _blocks(plain.codec, plain.picture, how, candidates)
    return blocks if blocks.size <= most else None


def _with_exact_blocks(plain: _Mixed, how: _Settings, candidates: NDArray[np.bool_], cheap: _Blocks | None) -> _Mixed:
    """The best of a file of tokens and those with exact blocks: with all that may be drawn, where they are cheap and
    that is better; else with those that are far from the original, which without a target is always better."""
    every = _try(plain, how, cheap) if cheap else None
    if every and _is_better(how.target, plain, every):
        return every
    if not plain.lost.any():
        return plain
    some = None
    if cheap is None or (plain.lost != candidates).any():
        some = _try(plain, how, _blocks(plain.codec, plain.picture, how, plain.lost))
    if how.target is None:
        return min((mixed for mixed in (some, every) if mixed), key=lambda mixed: mixed.size)
    return some if some and _is_better(how.target, plain, some) else plain


def _blocks(codec: TokenCodec, picture: Picture, how: _Settings, chosen: NDArray[np.bool_]) -> _Blocks:
    of_any_quality = header_of(codec, picture, None, how.tune)
    return _Blocks(chosen, block_sections(of_any_quality, picture.pixels, chosen))


def _try(plain: _Mixed, how: _Settings, blocks: _Blocks) -> _Mixed | None:
    """The file with these blocks exact; None where they alone are larger than the target."""
    picture = plain.picture
    if how.target and not how.target.allows(blocks.size, picture.width * picture.height):
        return None
    with suppress(OutOfReachError):
        return _encode_tokens(plain.codec, picture, how, plain.candidates, blocks, plain.found.quality)
    return None


def _is_better(target: RateTarget | None, one: _Mixed, other: _Mixed) -> bool:
    """Whether the other of two files that meet a target is better in what the target leaves open: nearer to the picture
    for the same size, smaller for the same likeness or, with more blocks exact, for the same quality."""
    if target is None or not target.limits_size:
        return other.size < one.size
    pixels = one.picture.pixels.astype(np.int32)
    return float(np.square(pixels - other.shown).mean()) < float(np.square(pixels - one.shown).mean())


def _encode_nearer(
    codec: TokenCodec,
    picture: Picture,
    how: _Settings,
    candidates: NDArray[np.bool_],
    error: OutOfReachError,
    whole: EncodeResult | None = None,
) -> EncodeResult:
    """The file that meets a target that tokens alone do not reach: with all blocks exact that may be drawn, or without
    a loss. whole: the latter, where it is known. Raises the error where neither meets it."""
    target, pixels = how.target, picture.width * picture.height
    assert target, "else nothing is out of reach"
    is_too_much = error.nearest > target.value
    if is_too_much and not (target.limits_size and candidates.any()):
        raise error  # tokens are too near at their worst, or too large where nothing is smaller exact
    whole = whole or encode_exact(kept_exactly(picture), how.verify)
    is_met = target.allows(len(whole.data), pixels)
    if is_met and target.limits_size:
        return whole
    mixed = None
    if candidates.any():
        blocks = _blocks(codec, picture, how, candidates)
        if target.allows(blocks.size, pixels) and not (is_met and blocks.size >= len(whole.data)):
            with suppress(OutOfReachError):
                mixed = _encode_tokens(codec, picture, how, candidates, blocks)
    if mixed and not (is_met and len(whole.data) <= mixed.size):
        return mixed.told(verified=True) if how.verify else mixed.found
    if is_met:
        return whole
    if is_too_much or not target.limits_size:
        raise error
    return _encode_best(codec, picture, how, candidates)


def _encode_best(codec: TokenCodec, picture: Picture, how: _Settings, candidates: NDArray[np.bool_]) -> EncodeResult:
    """The nearest file for a size that is more than tokens take and less than the picture takes without a loss."""
    assert how.target
    best = replace(how, quality=100.0, target=None)
    if candidates.any():
        blocks = _blocks(codec, picture, how, candidates)
        mixed = _encode_tokens(codec, picture, best, candidates, blocks)
        if how.target.allows(mixed.size, picture.width * picture.height):
            return replace(mixed.found, reached=float(mixed.size))
    plain = _encode_tokens(codec, picture, best, candidates)
    return replace(plain.found, reached=float(plain.size))


def _with_blocks(decoded: NDArray[np.uint8], pixels: NDArray[np.uint8], blocks: _Blocks | None) -> NDArray[np.uint8]:
    """What tokens decode to, with the chosen blocks of the picture's pixels."""
    return (
        decoded if blocks is None else np.where(enlarged(blocks.chosen, decoded.shape[:2])[..., None], pixels, decoded)
    )


def _encode_tokens(
    codec: TokenCodec,
    picture: Picture,
    how: _Settings,
    candidates: NDArray[np.bool_] | None,
    blocks: _Blocks | None = None,
    first: float | None = None,
) -> _Mixed:
    """The file of a picture. candidates: see `_Mixed`. blocks: those that are exact. first: the quality that is tried
    first for a target. Raises as `encode_picture`."""
    pixels = filled(picture.pixels, blocks.chosen) if blocks else picture.pixels
    analysis, extras = codec.analyse(pixels), picture_sections(picture)
    if how.target:
        analysis = list(analysis)  # one for all qualities that are tried
    if blocks:
        extras = [*blocks.sections, *extras]

    def encode_at(quality: float | None) -> _Mixed:
        header = header_of(codec, picture, quality, how.tune)
        tokens, sections = codec.encode(header, analysis, pixels, how.effort)
        data, header = container.write(tokens.header, [*sections, *extras]), tokens.header
        known_quality = header.quality / QUALITY_UNIT if codec.has_qualities else None
        found = EncodeResult(data, header, known_quality, None, tuple(picture.notes))
        return _Mixed(codec, picture, found, tokens, sum(len(section.data) for section in sections), candidates, blocks)

    mixed = _meet(how.target, encode_at, picture, blocks is not None, first) if how.target else encode_at(how.quality)
    if how.verify:
        check_file(codec, mixed.found.data, mixed.tokens, picture)
    return mixed


def _meet(
    target: RateTarget,
    encode_at: Callable[[float], _Mixed],
    picture: Picture,
    has_exact: bool,
    first: float | None,
) -> _Mixed:
    """The file that meets a target, with its figure: bytes, dB or points. has_exact: it has exact blocks, and may be
    nearer than asked at the lowest quality, as it is still the smallest with these. first: the quality that is tried
    first."""
    tried: dict[float, tuple[_Mixed, float]] = {}
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
