"""Pictures to files: what is coded by tokens, and what as it is.

picture ─┬─ small, or asked for ───────────────────────────► exact file
         ├─ a photograph ──────────► tokens ───────────────► file of a model
         └─ in part a drawing ─────► tokens, looked at ─┬──► the one or the other
                                                        └──► tokens of what is left, and exact blocks
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import CodecError, InvalidFileError
from imgcodec.bitstream.header import QUALITY_UNIT, Header, Profile, Tune
from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.codec import check_effort, detokenize, header_of, read_tokens
from imgcodec.exact.blocks import enlarged
from imgcodec.exact.sections import block_sections
from imgcodec.pictures.exact_samples import colour_mode_with_alpha, sample_depth, samples_of
from imgcodec.pictures.io import Picture, kept_exactly
from imgcodec.pictures.sections import keeps, picture_sections
from imgcodec.profiles.exact.codec import ExactCodec
from imgcodec.profiles.photo.choice import drawn, far, filled, share
from imgcodec.profiles.photo.codec import PhotoCodec
from imgcodec.rate_control import OutOfReachError, RateTarget, fidelity, find_quality
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
    `encode_exact`, and blocks that tokens do not show are exact; with a target where the file is the better for it.

    Raises UsageError for what the model does not have, CodecError for a target that no quality reaches, and where a
    file that is read back does not give what was put into it.
    """
    if tune is None and target and target.metric == "psnr":
        tune = Tune.PSNR.name.lower()
    how = _Settings(quality, target, tune, effort, verify, exact)
    check_effort(codec, effort)
    codec = codec.with_gradients() if effort > 1 else codec.for_size(picture.width, picture.height)
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
    blocks exact that tokens do not show. Where that may not be, or is not worth it, their share is told."""
    whole = None
    if how.exact and candidates.mean() >= MANY_DRAWN:
        whole = encode_exact(kept_exactly(picture), how.verify)
        pixels = picture.width * picture.height
        if how.target and how.target.limits_size and how.target.allows(len(whole.data), pixels):
            return whole
    try:
        found, tokens = _encode_tokens(codec, picture, how)
    except OutOfReachError:
        likeness_is_asked = how.target is not None and not how.target.limits_size
        mixed = _encode_nearer(codec, picture, how, candidates) if how.exact and likeness_is_asked else None
        if mixed is None:
            raise
        return whole if whole and len(whole.data) <= len(mixed.data) else mixed
    worth = 1 if how.target else WORTH
    if whole and len(whole.data) <= worth * len(found.data):
        return whole
    looked_at = None if how.target or how.verify else candidates  # they ask for all of the picture
    decoded = detokenize(codec, tokens) if looked_at is None else _blocks(codec, tokens, looked_at)
    lost = far(picture.pixels, decoded, tokens.header, looked_at)
    chosen = lost & candidates
    without = _told(found, lost if how.verify else chosen)
    if not how.exact or not chosen.any():
        return without
    try:
        mixed, tokens = _encode_tokens(codec, picture, how, chosen)
    except OutOfReachError:  # the blocks alone are larger than the target, or nearer
        return without
    if whole and len(whole.data) <= worth * len(mixed.data):
        return whole
    if how.target:
        shown = _with_blocks(detokenize(codec, tokens), picture.pixels, chosen)
        if not _is_better(how.target, picture.pixels, (found, decoded), (mixed, shown)):
            return without
        lost = far(picture.pixels, shown, tokens.header)
    return _told(mixed, lost & ~chosen) if how.verify else mixed


def _encode_nearer(
    codec: TokenCodec, picture: Picture, how: _Settings, candidates: NDArray[np.bool_]
) -> EncodeResult | None:
    """The file that meets a target with the blocks exact that tokens do not show at their best; None where there are no
    such blocks. Raises OutOfReachError where it does not meet it either."""
    _, tokens = _encode_tokens(codec, picture, replace(how, quality=100.0, target=None, verify=False))
    chosen = far(picture.pixels, _blocks(codec, tokens, candidates), tokens.header, candidates)
    return _encode_tokens(codec, picture, how, chosen)[0] if chosen.any() else None


def _blocks(codec: TokenCodec, tokens: Tokens, blocks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What tokens of the profile photo decode to in these blocks."""
    return cast(PhotoCodec, codec).synthesise_blocks(tokens, blocks)


def _is_better(
    target: RateTarget,
    pixels: NDArray[np.uint8],
    one: tuple[EncodeResult, NDArray[np.uint8]],
    other: tuple[EncodeResult, NDArray[np.uint8]],
) -> bool:
    """Whether the other of two files that meet a target, with what they show, is better in what the target leaves open:
    nearer to the picture for the same size, smaller for the same likeness."""
    if not target.limits_size:
        return len(other[0].data) < len(one[0].data)
    errors = [float(np.square(pixels.astype(np.int32) - shown).mean()) for _, shown in (one, other)]
    return errors[1] < errors[0]


def _with_blocks(
    decoded: NDArray[np.uint8], pixels: NDArray[np.uint8], chosen: NDArray[np.bool_] | None
) -> NDArray[np.uint8]:
    """What tokens decode to, with the chosen blocks of the picture's pixels."""
    return decoded if chosen is None else np.where(enlarged(chosen, decoded.shape[:2])[..., None], pixels, decoded)


def _encode_tokens(
    codec: TokenCodec, picture: Picture, how: _Settings, chosen: NDArray[np.bool_] | None = None
) -> tuple[EncodeResult, Tokens]:
    """The file of a picture, and its tokens. chosen: the blocks that are exact. Raises as `encode_picture`."""
    pixels = picture.pixels if chosen is None else filled(picture.pixels, chosen)
    analysis, extras = codec.analyse(pixels), picture_sections(picture)
    if how.target:
        analysis = list(analysis)  # one for all qualities that are tried
    if chosen is not None:
        of_any_quality = header_of(codec, picture, None, how.tune)
        extras = [*block_sections(of_any_quality, picture.pixels, chosen), *extras]

    def encode_at(quality: float | None) -> tuple[Tokens, bytes]:
        header = header_of(codec, picture, quality, how.tune)
        tokens, sections = codec.encode(header, analysis, pixels, how.effort)
        return tokens, container.write(tokens.header, [*sections, *extras])

    def shown(tokens: Tokens) -> NDArray[np.uint8]:
        return _with_blocks(detokenize(codec, tokens), picture.pixels, chosen)

    if how.target is None:
        (tokens, data), reached = encode_at(how.quality), None
    else:
        tokens, data, reached = _meet(how.target, picture, encode_at, shown)
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
    target: RateTarget,
    picture: Picture,
    encode_at: Callable[[float], tuple[Tokens, bytes]],
    shown: Callable[[Tokens], NDArray[np.uint8]],
) -> tuple[Tokens, bytes, float]:
    """Tokens and bytes of the file that meets a target, and its figure: bytes, dB or points."""
    tried: dict[float, tuple[Tokens, bytes, float]] = {}
    nearness = fidelity(target, picture.pixels) if target.metric in ("psnr", "ssimulacra2") else None

    def measure(quality: float) -> float:
        tokens, data = encode_at(quality)
        figure = nearness(shown(tokens)) if nearness else len(data)
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
