"""What a reader of a file format found besides pixels."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from imgcodec.pictures.cicp import Code

COMMENT, TEXT, PNG_TEXT, IPTC = "comment", "text", "PNG text chunks", "IPTC record"
PHOTOSHOP, THUMBNAIL, CREDENTIALS = "Photoshop resources", "thumbnail", "content credentials"
LAYERS, BITS = "Photoshop layers", "number of significant bits"
PAST_THE_END = "data behind the picture"
PIXEL_SHAPE = "pixel aspect ratio"

PLURALS = frozenset({PNG_TEXT, PHOTOSHOP, CREDENTIALS, LAYERS})
"""The names of what is more than one thing."""

_KINDS = {"icc": "ICC profiles", "exif": "EXIF blocks", "xmp": "XMP packets"}
_NAMED = 8  # of unknown parts: untrusted input says how many there are
_IPTC_RESOURCE, _IPTC_DIGEST = 0x0404, 0x0425


@dataclass
class Findings:
    """What a file has, and what of it is not kept.

    icc, exif, xmp: as bytes, None where there is none that can be read. cicp: the colours by number. dpi: pixels per
    inch, across and down. crop: left, top, right and bottom of what is to be seen of the decoded pixels. turn: the
    orientation 1 to 8, where the file states it elsewhere than in EXIF and XMP, which then do not count.
    is_turned: Pillow has turned the pixels already. are_colours_others: the file states colours that are not sRGB and
    that no profile is made of. lost: names of what is there and not kept. notes: other losses, clauses about "it".
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    cicp: Code | None = None
    dpi: tuple[float, float] | None = None
    crop: tuple[int, int, int, int] | None = None
    turn: int | None = None
    is_turned: bool = False
    are_colours_others: bool = False
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def keep(self, kind: str, block: bytes | None) -> None:
        """Takes a block of a kind, `icc`, `exif` or `xmp`. The first counts; of one that differs there is a note."""
        first = getattr(self, kind)
        note = f"only the first of its {_KINDS[kind]} is kept"
        if not first:
            setattr(self, kind, block or first)
        elif block and block != first and note not in self.notes:
            self.notes.append(note)

    def lose(self, *names: str) -> None:
        """Adds what is not kept, each name once."""
        self.lost += [name for name in dict.fromkeys(names) if name not in self.lost]


def unknown(kind: str, names: Iterable[str], kinds: str = "") -> list[str]:
    """One name for parts of a file that nobody here knows, such as "chunks bKGD and tIME", or none.

    kind: what one of them is. kinds: what many are. Of untrusted names only letters and digits are quoted, because a
    terminal may obey what it is shown.
    """
    safe = ("".join(letter for letter in name if letter.isascii() and letter.isalnum()) for name in names)
    there = list(dict.fromkeys(safe))
    if not there:
        return []
    shown = [name for name in there if name][:_NAMED]
    if len(there) > len(shown):
        shown.append("others" if shown else "without a name")
    return [f"{kind if len(there) == 1 else kinds or kind + 's'} {listed(shown)}"]


def listed(names: list[str]) -> str:
    """Words in a row, as in a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def photoshop(resources: bytes) -> list[str]:
    """What a block of Photoshop's image resources holds, by the names above. (Adobe, Photoshop file formats.)"""
    offset, codes = 0, set[int]()
    while resources[offset : offset + 4] == b"8BIM" and offset + 7 <= len(resources):
        codes.add(int.from_bytes(resources[offset + 4 : offset + 6], "big"))
        offset += 6 + (resources[offset + 6] + 2) // 2 * 2  # a name, padded
        size = int.from_bytes(resources[offset : offset + 4], "big")
        offset += 4 + (size + 1) // 2 * 2
    names = [IPTC] if _IPTC_RESOURCE in codes else []
    return [*names, PHOTOSHOP] if codes - {_IPTC_RESOURCE, _IPTC_DIGEST} or not codes else names
