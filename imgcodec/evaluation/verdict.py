"""Bytes where all codecs are as like the original, picture by picture, and the sentence that says who takes fewer.

The likeness is a score of SSIMULACRA2. The bytes of a codec at it are interpolated between its files (`bd.rate_at`),
and nothing is extrapolated: a codec whose files are all better, or all worse, says nothing there. Of a codec of one
quality, whose files are no curve, each file is compared at the score that it has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from imgcodec.evaluation.bd import rate_at
from imgcodec.evaluation.peers import TITLES

LIKENESS = 70.0
"""At which codecs are compared: "high quality" in the words of SSIMULACRA2's authors, where flaws are hard to notice
without the original beside them."""


class File(Protocol):
    """What is asked of a `bench.Sample`."""

    @property
    def image(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def ssimulacra2(self) -> float | None: ...


@dataclass(frozen=True)
class AtLikeness:
    """A picture. likeness: the score of SSIMULACRA2, None where the picture is too small for one. bytes: of each codec
    there; None where it was not measured on both sides of it. better_as_png: PNG, which loses nothing, is no larger
    than our file; where ours has no bytes at this likeness, than its file on the nearer side of it."""

    image: str
    likeness: float | None
    bytes: dict[str, float | None]
    png_bytes: int
    better_as_png: bool

    def saving(self, ours: str, other: str) -> float | None:
        """The share of another codec's bytes that ours saves, below zero where it needs more; None without figures."""
        mine, its = self.bytes[ours], self.bytes[other]
        return None if mine is None or its is None else 1 - mine / its


@dataclass(frozen=True)
class Saving:
    """The share of another codec's bytes that ours saves over the pictures that have figures of both; None of none."""

    share: float | None
    pictures: int


@dataclass(frozen=True)
class Verdict:
    """One of our codecs. likeness: of all pictures; None where each file is taken at its own."""

    codec: str
    likeness: float | None
    pictures: list[AtLikeness]
    savings: dict[str, Saving]  # by the other codec
    sentence: str


def verdict_on(
    codec: str, others: Sequence[str], samples: Mapping[str, Sequence[File]], png_bytes: Mapping[str, int]
) -> Verdict:
    """What can be said of one of our codecs. samples: of each codec; png_bytes: of each picture."""
    pictures = [
        _at_likeness(image, size, codec, {name: _of(samples[name], image) for name in (codec, *others)})
        for image, size in png_bytes.items()
    ]
    savings = {other: _saving(pictures, codec, other) for other in others}
    one_quality = len({sample.image for sample in samples[codec]}) == len(samples[codec])
    likeness = None if one_quality else LIKENESS
    return Verdict(codec, likeness, pictures, savings, _sentence(codec, likeness, pictures, savings))


Scored = list[tuple[float, float]]
"""(bytes, SSIMULACRA2) of the files of a picture."""


def _of(samples: Sequence[File], image: str) -> Scored:
    return [(s.bytes, s.ssimulacra2) for s in samples if s.image == image and s.ssimulacra2 is not None]


def _at_likeness(image: str, png_bytes: int, codec: str, files: dict[str, Scored]) -> AtLikeness:
    ours = files[codec]
    if not ours:
        return AtLikeness(image, None, dict.fromkeys(files), png_bytes, False)
    if len(ours) == 1:
        ((nearest, likeness),) = ours
        mine: float | None = nearest
    else:
        likeness = LIKENESS
        mine = rate_at(ours, likeness)
        nearest = min(ours, key=lambda file: abs(file[1] - likeness))[0] if mine is None else mine
    sizes = {name: rate_at(scored, likeness) for name, scored in files.items()} | {codec: mine}
    return AtLikeness(image, likeness, sizes, png_bytes, png_bytes <= nearest)


def _saving(pictures: Sequence[AtLikeness], codec: str, other: str) -> Saving:
    pairs = [(mine, its) for p in pictures if (mine := p.bytes[codec]) is not None and (its := p.bytes[other])]
    share = 1 - sum(mine for mine, _ in pairs) / sum(its for _, its in pairs) if pairs else None
    return Saving(share, len(pairs))


def _sentence(codec: str, likeness: float | None, pictures: Sequence[AtLikeness], savings: Mapping[str, Saving]) -> str:
    """What the measured range supports: first of bytes, then of what it does not cover, then of PNG."""
    total = len(pictures)
    measured = sum(picture.bytes[codec] is not None for picture in pictures)
    yours, own = ("your picture", "its own") if total == 1 else ("your pictures", "their own")
    take = "takes" if total == 1 else "take"
    scores = [picture.likeness for picture in pictures if picture.likeness is not None]
    known = {other: saving for other, saving in savings.items() if saving.share is not None}
    unknown = [TITLES.get(other, other) for other, saving in savings.items() if saving.share is None]
    if not scores:
        return "The pictures are too small for SSIMULACRA2, so bytes at the same likeness are not known."
    at = f"SSIMULACRA2 of {likeness:g}" if likeness is not None else f"{own} SSIMULACRA2 ({fmean(scores):.0f})"
    if not measured:
        clauses = [f"Nothing is known at {at}: no file comes near it at the measured qualities; -q takes others"]
    elif not known:
        clauses = [f"At {at} nothing is known of {_listed(unknown, 'or')}: their measured files are not around it"]
    else:
        parts = [_part(other, saving, total, first=not i) for i, (other, saving) in enumerate(known.items())]
        clauses = [f"At {at} {yours} {take} {_listed(parts, 'and')}"]
        if unknown:
            clauses.append(f"nothing is known of {_listed(unknown, 'or')} there")
    better = sum(picture.better_as_png for picture in pictures)
    if total == 1:
        clauses += ["it is better off as PNG"] * better
    else:
        clauses.append(f"{better or 'none'} of {total} {'is' if better < 2 else 'are'} better off as PNG")
    return "; ".join(clauses) + "."


def _part(other: str, saving: Saving, total: int, first: bool) -> str:
    """`42 % fewer bytes than JPEG`, and `6 % fewer than AVIF` if it is not the first."""
    assert saving.share is not None
    percent = round(100 * abs(saving.share))
    noun = " bytes" if first else ""
    title = TITLES.get(other, other)
    if percent == 0:
        text = f"as many{noun} as {title}"
    else:
        text = f"{percent} % {'fewer' if saving.share > 0 else 'more'}{noun} than {title}"
    return text if saving.pictures == total else f"{text} ({saving.pictures} of {total} pictures)"


def _listed(parts: Sequence[str], word: str) -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"
