"""Pictures to files: what is coded by tokens, and what as it is. `imgcodec.one_file` makes each file that is tried.

picture ─┬─ small, or asked for ───────────────────────────► exact file
         ├─ a photograph ──────────► tokens ───────────────► file of a model
         └─ in part a drawing ─────► tokens, looked at ─┬──► the one or the other
                                                        └──► tokens of what is left, and exact blocks
"""

from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imgcodec.bitstream.header import Profile, Tune
from imgcodec.codec import check_effort, header_of
from imgcodec.one_file import Blocks, EncodeResult, Mixed, Settings, encode_exact, encode_tokens, exact_blocks
from imgcodec.pictures.picture import Picture, kept_exactly
from imgcodec.profiles.photo.choice import drawn, least_bytes, share_of_tokens
from imgcodec.rate_control import OutOfReachError, RateTarget
from imgcodec.tokens import TokenCodec

MANY_DRAWN = 1 / 8
"""Of the blocks of a picture. Where so many may be drawn, it may be as small without a loss."""

WORTH = 1.35
"""How many times as large a drawing may be without a loss: just below that, tokens are worse than a lossy WebP."""

WORTH_TO_OTHERS = 1.5
"""With a target, how many times as large blocks may be without a loss: then the others have to do less for it."""

SMALL_SIDE = 64
"""Pixels. A picture with both sides below this takes some hundred bytes either way, and shows single pixels."""


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
    how = Settings(quality, target, tune, effort, verify, exact)
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
        mixed = encode_tokens(codec, picture, how, candidates)
    except OutOfReachError as error:
        if candidates is None or not exact:
            raise
        return _encode_nearer(codec, picture, how, candidates, error)
    return mixed.told(verified=True) if candidates is not None and verify else mixed.found


def _encode_drawn(codec: TokenCodec, picture: Picture, how: Settings, candidates: NDArray[np.bool_]) -> EncodeResult:
    """The file of a picture with blocks that may be drawn: without a loss where that is worth it, else with all of them
    exact where that takes fewer bytes, else with those exact that tokens do not show. Where that may not be, or is not
    worth it, their share is told."""
    whole = None
    if how.exact and candidates.mean() >= MANY_DRAWN:
        whole = encode_exact(kept_exactly(picture), how.verify)
        if how.target and how.target.limits_size and how.target.allows(len(whole.data), picture.width * picture.height):
            return whole
    try:
        best = encode_tokens(codec, picture, how, candidates)
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


def _cheap_blocks(plain: Mixed, how: Settings, candidates: NDArray[np.bool_]) -> Blocks | None:
    """All blocks that may be drawn, if they may take fewer bytes exact than as tokens; with a target WORTH_TO_OTHERS
    times as many. Found by estimates before they are encoded: in photographs they take many times as many."""
    zero = plain.codec.empty(plain.tokens.header)
    most = plain.token_bytes * share_of_tokens(plain.tokens.stages, zero, candidates)
    most *= WORTH_TO_OTHERS if how.target else 1
    if least_bytes(plain.picture.pixels, candidates) > most:
        return None
    blocks = exact_blocks(plain.codec, plain.picture, how, candidates)
    return blocks if blocks.size <= most else None


def _with_exact_blocks(plain: Mixed, how: Settings, candidates: NDArray[np.bool_], cheap: Blocks | None) -> Mixed:
    """The best of a file of tokens and those with exact blocks: with all that may be drawn, where they are cheap and
    that is better; else with those that are far from the original, which without a target is always better."""
    every = _try(plain, how, cheap) if cheap else None
    if every and _is_better(how.target, plain, every):
        return every
    if not plain.lost.any():
        return plain
    some = None
    if cheap is None or (plain.lost != candidates).any():
        some = _try(plain, how, exact_blocks(plain.codec, plain.picture, how, plain.lost))
    if how.target is None:
        return min((mixed for mixed in (some, every) if mixed), key=lambda mixed: mixed.size)
    return some if some and _is_better(how.target, plain, some) else plain


def _try(plain: Mixed, how: Settings, blocks: Blocks) -> Mixed | None:
    """The file with these blocks exact; None where they alone are larger than the target."""
    picture = plain.picture
    if how.target and not how.target.allows(blocks.size, picture.width * picture.height):
        return None
    with suppress(OutOfReachError):
        return encode_tokens(plain.codec, picture, how, plain.candidates, blocks, plain.found.quality)
    return None


def _is_better(target: RateTarget | None, one: Mixed, other: Mixed) -> bool:
    """Whether the other of two files that meet a target is better in what the target leaves open: nearer to the picture
    for the same size, smaller for the same likeness or, with more blocks exact, for the same quality."""
    if target is None or not target.limits_size:
        return other.size < one.size
    pixels = one.picture.pixels.astype(np.int32)
    return float(np.square(pixels - other.shown).mean()) < float(np.square(pixels - one.shown).mean())


def _encode_nearer(
    codec: TokenCodec,
    picture: Picture,
    how: Settings,
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
        blocks = exact_blocks(codec, picture, how, candidates)
        if target.allows(blocks.size, pixels) and not (is_met and blocks.size >= len(whole.data)):
            with suppress(OutOfReachError):
                mixed = encode_tokens(codec, picture, how, candidates, blocks)
    if mixed and not (is_met and len(whole.data) <= mixed.size):
        return mixed.told(verified=True) if how.verify else mixed.found
    if is_met:
        return whole
    if is_too_much:
        raise error
    return _encode_best(codec, picture, how, candidates)


def _encode_best(codec: TokenCodec, picture: Picture, how: Settings, candidates: NDArray[np.bool_]) -> EncodeResult:
    """The nearest file for a size that is more than tokens take and less than the picture takes without a loss."""
    assert how.target
    best = replace(how, quality=100.0, target=None)
    if candidates.any():
        blocks = exact_blocks(codec, picture, how, candidates)
        mixed = encode_tokens(codec, picture, best, candidates, blocks)
        if how.target.allows(mixed.size, picture.width * picture.height):
            return replace(mixed.found, reached=float(mixed.size))
    plain = encode_tokens(codec, picture, best, candidates)
    return replace(plain.found, reached=float(plain.size))
